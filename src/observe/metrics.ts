import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { type LinkCounters, readLinkCounters } from '../host/link-counters.ts';
import { type AddressReservation, type Attachment, attachmentMoves } from '../model/attachment.ts';
import type { Operation } from '../model/operation.ts';
import { agentMetrics } from './agent-metrics.ts';
import { createFlowMetrics, type FlowMetricsState } from './flow-metrics.ts';

/** What the metrics are read from at every scrape. */
export interface MetricsState {
  attachments: readonly Pick<Attachment, 'vmid' | 'ifname' | 'network' | 'phase' | 'hostInterface'>[];
  addresses: readonly Pick<AddressReservation, 'network' | 'address' | 'state'>[];
  /** for state `free`: addresses that the subnets can give, and how many of these are reserved or kept back */
  pools: readonly { network: string; family: AddressFamily; size: number | bigint; used: number }[];
  /** how many */
  debts: number;
  problems: readonly ConfigProblem[];
  /** of Cilium; null: nobody has looked */
  identities?: { counts: { used: number; unused: number } | null; removed: number };
  flows: FlowMetricsState;
  /** Cilium's agent of this node, and its own page */
  agent: {
    up: boolean;
    page: string;
    endpoints: readonly { vmid: number; name: string; ifname: string; endpoint: number; identity: number; state: string }[];
  };
}
export type AddressFamily = 'ipv4' | 'ipv6';
/** A configuration file that is wrong now. */
type ConfigProblem = { file: string; error: { message: string } };

export interface Metrics {
  /** Counts an ended operation: once as a whole (plugin=""), and once for each run of a plugin. */
  observeOperation(operation: Operation): void;
  /** Counts configuration errors that were not there the last time. Every render does it too; calling it on a change of
   *  the configuration catches errors that come and go between two scrapes. */
  observeProblems(problems: readonly ConfigProblem[]): void;
  /** The page in Prometheus' text format. */
  render(): Promise<{ contentType: string; text: string }>;
}

export interface MetricsOptions {
  source: () => MetricsState | Promise<MetricsState>;
  version: string;
  /** counters of a link on the host */
  counters?: (hostInterface: string) => Promise<LinkCounters | null>;
}

const phases = Object.keys(attachmentMoves).filter((phase) => phase !== 'absent');
// from a plugin's few milliseconds to beyond the deadline of a hook
const bucketSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** What the container receives is what the host's end of its link transmits, and the reverse. */
const traffic = [
  ['receive', 'bytes', 'transmittedBytes', 'Bytes that the container received on the interface.'],
  ['receive', 'packets', 'transmittedPackets', 'Packets that the container received on the interface.'],
  ['receive', 'drops', 'transmittedDrops', 'Packets to the container that the host dropped at the interface.'],
  ['transmit', 'bytes', 'receivedBytes', 'Bytes that the container sent on the interface.'],
  ['transmit', 'packets', 'receivedPackets', 'Packets that the container sent on the interface.'],
  ['transmit', 'drops', 'receivedDrops', 'Packets from the container that the host dropped at the interface.'],
] as const;

/** The service's metrics in a registry of their own; names and labels are an interface: dashboards depend on them. */
export function createMetrics({ source, version, counters = readLinkCounters }: MetricsOptions): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const interfaces = new Gauge({
    name: 'pve_cni_interfaces',
    help: 'Interfaces of containers by network and state.',
    labelNames: ['network', 'state'],
    registers,
  });
  const addresses = new Gauge({
    name: 'pve_cni_addresses',
    help: 'Addresses by network, family and state (reserved, kept, free).',
    labelNames: ['network', 'family', 'state'],
    registers,
  });
  const debts = new Gauge({ name: 'pve_cni_debts', help: 'Undone clean-ups that will be retried.', registers });
  const identities = new Gauge({
    name: 'pve_cni_cilium_identities',
    help: 'Identities in etcd at the last look, by state (used, unused).',
    labelNames: ['state'],
    registers,
  });
  const removedIdentities = new Counter({
    name: 'pve_cni_cilium_identities_removed_total',
    help: 'Identities that this node removed from etcd because nobody used them.',
    registers,
  });
  const configErrors = new Counter({
    name: 'pve_cni_config_errors_total',
    help: 'Errors found in a configuration object, counted when they appear.',
    labelNames: ['object'],
    registers,
  });
  const duration = new Histogram({
    name: 'pve_cni_operation_duration_seconds',
    help: 'Time of operations (plugin="") and of the plugins that they ran.',
    labelNames: ['operation', 'network', 'plugin', 'outcome'],
    buckets: bucketSeconds,
    registers,
  });
  const links = traffic.map(([direction, unit, field, help]) => ({
    field,
    counter: new Counter({
      name: `pve_cni_interface_${direction}_${unit}_total`,
      help,
      labelNames: ['vmid', 'ifname', 'network'],
      registers,
    }),
  }));
  const agentUp = new Gauge({ name: 'pve_cni_cilium_agent_up', help: 'Whether Cilium’s agent answers (1) or not (0).', registers });
  const endpoints = new Gauge({
    name: 'pve_cni_cilium_endpoint_info',
    help: 'Which endpoint of Cilium’s agent is which interface of a container, and its identity.',
    labelNames: ['vmid', 'container', 'ifname', 'endpoint', 'identity', 'state'],
    registers,
  });
  const setFlows = createFlowMetrics(registry);
  new Gauge({ name: 'pve_cni_build_info', help: 'Version of the service.', labelNames: ['version', 'nodejs'], registers }).set(
    { version, nodejs: process.version },
    1,
  );

  let knownProblems = new Set<string>();
  const observeProblems = (problems: readonly ConfigProblem[]) => {
    const present = new Map(problems.map(({ file, error }) => [`${file}\n${error.message}`, file]));
    for (const [key, object] of present) if (!knownProblems.has(key)) configErrors.inc({ object });
    knownProblems = new Set(present.keys());
  };

  /** Reads everything first and changes the registry in one go, so that two scrapes at once see whole states. */
  const refresh = async () => {
    const state = await source();
    const read = await Promise.all(
      state.attachments.map(async ({ vmid, ifname, network, hostInterface }) => ({
        labels: { vmid, ifname, network },
        values: hostInterface ? await counters(hostInterface) : null,
      })),
    );
    observeProblems(state.problems);
    setFlows(state.flows);
    agentUp.set(state.agent.up ? 1 : 0);
    endpoints.reset();
    for (const { vmid, name, ...labels } of state.agent.endpoints) endpoints.set({ vmid, container: name, ...labels }, 1);
    debts.set(state.debts);
    identities.reset();
    for (const [use, count] of Object.entries(state.identities?.counts ?? {})) identities.set({ state: use }, count);
    removedIdentities.reset();
    removedIdentities.inc(state.identities?.removed ?? 0);
    interfaces.reset();
    for (const network of new Set([...state.pools, ...state.attachments].map((one) => one.network)))
      for (const phase of phases) interfaces.set({ network, state: phase }, 0);
    for (const { network, phase } of state.attachments) interfaces.inc({ network, state: phase });
    addresses.reset();
    for (const { network, family, size, used } of state.pools) {
      addresses.inc({ network, family, state: 'free' }, Math.max(0, Number(size) - used));
      for (const held of ['reserved', 'kept']) addresses.inc({ network, family, state: held }, 0);
    }
    for (const { network, address, state: held } of state.addresses) addresses.inc({ network, family: familyOf(address), state: held });
    for (const { counter, field } of links) {
      counter.reset();
      for (const { labels, values } of read) if (values) counter.inc(labels, values[field]);
    }
    return state.agent;
  };

  return {
    observeProblems,
    observeOperation(operation) {
      if (operation.end === null) return;
      const network = operation.network ?? '';
      const whole = { operation: operation.kind, network, plugin: '', outcome: operation.outcome ?? '' };
      duration.observe(whole, (operation.end - operation.begin) / 1000);
      for (const span of operation.spans) {
        const plugin = /^plugin:([^:]+)/.exec(span.name)?.[1];
        if (plugin === undefined) continue;
        const labels = { operation: operation.kind, network: String(span.facts?.network ?? network), plugin };
        duration.observe({ ...labels, outcome: span.error === undefined ? 'ok' : 'failed' }, span.durationMs / 1000);
      }
    },
    async render() {
      const agent = await refresh();
      const names = new Map(agent.endpoints.map((one) => [one.endpoint, one]));
      const ofAgent = agentMetrics(agent.page, (endpoint) => names.get(endpoint));
      return { contentType: registry.contentType, text: `${await registry.metrics()}${ofAgent}` };
    },
  };
}

function familyOf(address: string): AddressFamily {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}
