import type { Flow, FlowEnd } from '../../src/model/flow.ts';

export const end = (changes: Partial<FlowEnd> = {}): FlowEnd => ({
  kind: 'container',
  vmid: 101,
  name: 'web',
  address: '10.240.0.10',
  port: 40_000,
  ...changes,
});

/** A forwarded TCP connection of container 101 (web) to port 5432 of 102 (db). */
export const flow = (changes: Partial<Flow> = {}): Flow => ({
  time: 1_000_000,
  origin: 'hubble',
  verdict: 'forwarded',
  direction: 'egress',
  protocol: 'tcp',
  from: end(),
  to: end({ vmid: 102, name: 'db', address: '10.240.0.11', port: 5432 }),
  reason: '',
  policies: [],
  detail: '',
  ...changes,
});
