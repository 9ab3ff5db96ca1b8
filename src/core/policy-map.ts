import type { Direction, Flow } from './policy-verdict.ts';

/** The map by which an endpoint's eBPF programs decide: cilium_policy_v2 of Cilium 1.20 (bpf/lib/policy.h). */

/** One entry. */
export interface MapEntry {
  direction: Direction;
  /** 0: everybody; 11 to 14: everybody of a kind */
  identity: number;
  /** number of the protocol; 0: all */
  protocol: number;
  port: number;
  /** bits that are compared: 0 none, 8 the protocol, 24 the port too */
  prefix: number;
  deny: boolean;
  precedence: number;
  packets: number | null;
  bytes: number | null;
}

const aggregates = { cluster: 11, clusterMesh: 12, world: 13, remoteNode: 14 } as const;
const aggregateIds: readonly number[] = Object.values(aggregates);

const protocolNumbers: Record<Flow['protocol'], number> = { ICMP: 1, TCP: 6, UDP: 17, ICMPv6: 58 };
const protocolNames = new Map(Object.entries(protocolNumbers).map(([name, number]) => [number, name]));

/** What the kernel does with a flow of an identity. */
export function kernelAllows(entries: readonly MapEntry[], direction: Direction, identity: number, flow: Flow): boolean {
  const find = (id: number) => longest(entries, direction, id, flow);
  const own = find(identity);
  const general = aggregateOf(identity);
  let other = general === identity ? null : find(general);
  if (!other && !own && general !== 0) other = find(0);
  const chosen =
    other && (!own || other.precedence > own.precedence || (other.precedence === own.precedence && other.prefix > own.prefix))
      ? other
      : own;
  return chosen !== null && !chosen.deny;
}

function longest(entries: readonly MapEntry[], direction: Direction, identity: number, flow: Flow): MapEntry | null {
  const matching = entries.filter(
    (one) => one.direction === direction && one.identity === identity && matchesFlow(one, protocolNumbers[flow.protocol], flow.port),
  );
  return matching.reduce<MapEntry | null>((best, one) => (best === null || one.prefix > best.prefix ? one : best), null);
}

function matchesFlow({ protocol, port, prefix }: MapEntry, wantedProtocol: number, wantedPort: number): boolean {
  if (prefix >= 8 && protocol !== wantedProtocol) return false;
  const ignored = 24 - Math.max(prefix, 8);
  return prefix <= 8 || port >> ignored === wantedPort >> ignored;
}

/** The more general identity that is looked up, too. */
function aggregateOf(identity: number): number {
  if (identity < 100) return aggregateIds.includes(identity) ? identity : 0;
  const scope = identity >>> 24;
  if (scope === 1) return aggregates.world;
  if (scope === 2) return aggregates.remoteNode;
  return aggregates.cluster;
}

/** Identities below 100 by name: numericidentity.go. */
export const reservedNames: Readonly<Record<number, string>> = {
  0: 'everybody',
  1: 'host',
  2: 'world',
  3: 'unmanaged',
  4: 'health',
  5: 'init',
  6: 'remote-node',
  7: 'kube-apiserver',
  8: 'ingress',
  [aggregates.cluster]: 'every container',
  [aggregates.clusterMesh]: 'every container of other clusters',
  [aggregates.world]: 'every address outside',
  [aggregates.remoteNode]: 'every other node',
};

/** tcp 80-95, every */
export function portsOf({ protocol, port, prefix }: MapEntry): { protocol: string; ports: string } {
  if (prefix < 8) return { protocol: 'any', ports: 'all' };
  const name = protocolNames.get(protocol) ?? String(protocol);
  if (prefix === 8) return { protocol: name, ports: 'all' };
  const size = 1 << (24 - prefix);
  const first = port & ~(size - 1);
  return { protocol: name, ports: size === 1 ? String(first) : `${first}-${first + size - 1}` };
}

/** `cilium-dbg bpf policy get ID -n -o json`: numbers in the order of the network's bytes. */
export interface DumpedEntry {
  Flags: number;
  Precedence: number;
  Packets?: number | undefined;
  Bytes?: number | undefined;
  Key: { Identity: number; TrafficDirection: number; Nexthdr: number; DestPortNetwork: number };
}

export function entryOf({ Flags, Precedence, Packets, Bytes, Key }: DumpedEntry): MapEntry {
  return {
    direction: Key.TrafficDirection === 0 ? 'ingress' : 'egress',
    identity: Key.Identity,
    protocol: Key.Nexthdr,
    port: ((Key.DestPortNetwork & 0xff) << 8) | (Key.DestPortNetwork >> 8),
    prefix: Flags >> 3,
    deny: (Flags & 1) === 1,
    precedence: Precedence,
    packets: counted(Packets),
    bytes: counted(Bytes),
  };
}

/** all bits set: it is not counted */
function counted(value: number | undefined): number | null {
  return value === undefined || value > Number.MAX_SAFE_INTEGER ? null : value;
}
