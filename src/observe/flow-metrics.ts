import { Counter, Gauge, type Registry } from 'prom-client';

/** What is counted of flows since the service started, and what is kept now. */
export interface FlowMetricsState {
  kept: number;
  /** by place */
  lost: Readonly<Record<string, number>>;
  gaps: number;
  /** by reason */
  drops: ReadonlyMap<string, number>;
  /** policy → verdict */
  policies: ReadonlyMap<string, ReadonlyMap<string, number>>;
  rows: number;
  bytes: number;
  connected: boolean;
}

/** Metrics of flows in a registry; returns what sets them. */
export function createFlowMetrics(registry: Registry): (state: FlowMetricsState) => void {
  const registers = [registry];
  const kept = new Counter({ name: 'pve_cni_flows_kept_total', help: 'Flows that were written to the store.', registers });
  const lost = new Counter({
    name: 'pve_cni_flows_lost_total',
    help: 'Flows that went missing, by the place where they did.',
    labelNames: ['place'],
    registers,
  });
  const gaps = new Counter({
    name: 'pve_cni_flow_gaps_total',
    help: 'Times that flows were missed and nobody knows how many, since the agent or the service was away.',
    registers,
  });
  const drops = new Counter({
    name: 'pve_cni_flows_dropped_total',
    help: 'Flows that were dropped, by reason.',
    labelNames: ['reason'],
    registers,
  });
  const verdicts = new Counter({
    name: 'pve_cni_policy_verdicts_total',
    help: 'Flows that a policy decided, by policy and verdict.',
    labelNames: ['policy', 'verdict'],
    registers,
  });
  const rows = new Gauge({ name: 'pve_cni_flow_store_rows', help: 'Flows in the store.', registers });
  const bytes = new Gauge({ name: 'pve_cni_flow_store_bytes', help: 'Size of the store of flows.', registers });
  const connected = new Gauge({ name: 'pve_cni_hubble_up', help: 'Whether flows of Hubble come in (1) or not (0).', registers });
  return (state) => {
    for (const counter of [kept, lost, gaps, drops, verdicts]) counter.reset();
    kept.inc(state.kept);
    gaps.inc(state.gaps);
    for (const [place, count] of Object.entries(state.lost)) lost.inc({ place }, count);
    for (const [reason, count] of state.drops) drops.inc({ reason }, count);
    for (const [policy, counts] of state.policies) for (const [verdict, count] of counts) verdicts.inc({ policy, verdict }, count);
    rows.set(state.rows);
    bytes.set(state.bytes);
    connected.set(state.connected ? 1 : 0);
  };
}
