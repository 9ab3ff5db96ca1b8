import type { Policy } from '../model/policy.ts';
import { kernelAllows, type MapEntry } from './policy-map.ts';
import { type Direction, directions, type Flow, isAllowed, type Labels, type Peer } from './policy-verdict.ts';

/** An identity that the agent knows, and what it is to policies. */
export interface KnownIdentity {
  id: number;
  /** for people: container 101, world */
  name: string;
  peer: Peer;
}

/** more than anybody reads */
const maxDifferences = 20;

/** Whether the kernel decides as the policies do: asked of every identity that is known, at every port where a rule or an entry begins or
 *  ends, and at one that none names. */
export function kernelDifferences(
  policies: readonly Policy[],
  labels: Labels,
  entries: readonly MapEntry[],
  identities: readonly KnownIdentity[],
): string[] {
  const flows = flowsOf(policies, entries);
  const found: string[] = [];
  for (const direction of directions)
    for (const { id, name, peer } of identities)
      for (const flow of flows) {
        const wanted = isAllowed(policies, labels, direction, peer, flow);
        if (wanted === kernelAllows(entries, direction, id, flow)) continue;
        found.push(sentence(direction, name, flow, wanted));
        if (found.length >= maxDifferences) return found;
      }
  return found;
}

function sentence(direction: Direction, name: string, { protocol, port }: Flow, wanted: boolean): string {
  const what = `${protocol} ${port} ${direction === 'ingress' ? 'from' : 'to'} ${name}`;
  return wanted ? `the policies allow ${what}, the kernel does not` : `the kernel lets ${what} pass, the policies do not allow it`;
}

function flowsOf(policies: readonly Policy[], entries: readonly MapEntry[]): Flow[] {
  const ports = new Set([1, 65535]);
  const types = new Set([8, 128]);
  const around = (first: number, last: number) => {
    for (const port of [first - 1, first, last, last + 1]) if (port >= 1 && port <= 65535) ports.add(port);
  };
  for (const { port, prefix } of entries) if (prefix > 8) around(port, port + (1 << (24 - prefix)) - 1);
  for (const { rules } of policies)
    for (const rule of rules)
      for (const one of [...(rule.ingress ?? []), ...(rule.egress ?? []), ...(rule.ingressDeny ?? []), ...(rule.egressDeny ?? [])]) {
        for (const { ports: list } of one.toPorts ?? [])
          for (const { port, endPort } of list) around(Number(port), endPort ?? Number(port));
        for (const { fields } of one.icmps ?? []) for (const { type } of fields) types.add(type);
      }
  return [
    ...[...ports].flatMap((port): Flow[] => [
      { protocol: 'TCP', port },
      { protocol: 'UDP', port },
    ]),
    ...[...types].flatMap((port): Flow[] => [{ protocol: port > 127 ? 'ICMPv6' : 'ICMP', port }]),
  ];
}
