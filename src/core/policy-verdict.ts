import type { Policy, PolicyRule } from '../model/policy.ts';
import type { IcmpRule } from '../model/policy-ports.ts';
import type { LabelSelector } from '../model/selector.ts';
import { parseCidr } from './ip.ts';
import { selects } from './selectors.ts';

/** What policies say of a connection, by the policies alone, whoever enforces them. */

export const directions = ['ingress', 'egress'] as const;
export type Direction = (typeof directions)[number];
export type Labels = Readonly<Record<string, string>>;

/** The other end of a connection. */
export type Peer =
  | { kind: 'container'; labels: Labels }
  | { kind: 'entity'; name: string }
  /** addresses outside, of a range that the policies name */
  | { kind: 'range'; cidr: string };

export interface Flow {
  protocol: 'TCP' | 'UDP' | 'ICMP' | 'ICMPv6';
  /** of the receiver; the type of ICMP */
  port: number;
}

/** The policies that select a container and have rules of a direction. */
export function policiesOf(policies: readonly Policy[], labels: Labels): { policy: Policy; directions: Direction[] }[] {
  return policies.flatMap((policy) => {
    const own = rulesFor([policy], labels);
    const found = directions.filter((direction) => own.some((rule) => hasRulesOf(rule, direction)));
    return found.length > 0 ? [{ policy, directions: found }] : [];
  });
}

export function directionsOf({ rules }: Policy): Direction[] {
  return directions.filter((direction) => rules.some((rule) => hasRulesOf(rule, direction)));
}

/** Whether what no rule allows is dropped. */
export function isEnforced(policies: readonly Policy[], labels: Labels, direction: Direction): boolean {
  return rulesFor(policies, labels).some((rule) => hasRulesOf(rule, direction) && (rule.enableDefaultDeny?.[direction] ?? true));
}

/** What of a flow between a container and a peer is to be done. */
export function isAllowed(policies: readonly Policy[], labels: Labels, direction: Direction, peer: Peer, flow: Flow): boolean {
  const rules = rulesFor(policies, labels);
  const denies = rules.flatMap((rule) => rule[`${direction}Deny`] ?? []);
  if (denies.some((rule) => matches(rule, peer, flow))) return false;
  const allows = rules.flatMap((rule) => rule[direction] ?? []);
  return allows.some((rule) => matches(rule, peer, flow)) || !isEnforced(policies, labels, direction);
}

/** A rule that a policy has for a container in a direction, and whether it is about a peer and a flow. */
export interface Saying {
  policy: string;
  /** as people find it in the file: ingress[0], specs[1].egressDeny[0] */
  rule: string;
  deny: boolean;
  isAboutPeer: boolean;
  isAboutFlow: boolean;
  says: AnyRule;
}

export function sayingsOf(policies: readonly Policy[], labels: Labels, direction: Direction, peer: Peer, flow: Flow): Saying[] {
  return policies.flatMap((policy) =>
    policy.rules.flatMap((rule, index) => {
      if (!selects(rule.endpointSelector, labels)) return [];
      return ([`${direction}Deny`, direction] as const).flatMap((key) =>
        (rule[key] ?? []).map((says: AnyRule, at: number) => ({
          policy: policy.name,
          rule: `${placeOf(policy, index)}${key}[${at}]`,
          deny: key !== direction,
          isAboutPeer: matchesPeer(says, peer),
          isAboutFlow: matchesFlow(says, flow),
          says,
        })),
      );
    }),
  );
}

/** Which policy makes that what no rule allows is dropped; null: none does. */
export function closedBy(policies: readonly Policy[], labels: Labels, direction: Direction): string | null {
  return policies.find((policy) => isEnforced([policy], labels, direction))?.name ?? null;
}

/** Where a rule stands in the file that has several. */
function placeOf({ object, rules }: Policy, index: number): string {
  if (rules.length < 2) return '';
  const before = 'specs' in object && object.spec ? 1 : 0;
  return index < before ? 'spec.' : `specs[${index - before}].`;
}

function rulesFor(policies: readonly Policy[], labels: Labels): PolicyRule[] {
  return policies.flatMap(({ rules }) => rules.filter(({ endpointSelector }) => selects(endpointSelector, labels)));
}

function hasRulesOf(rule: PolicyRule, direction: Direction): boolean {
  return Boolean(rule[direction] ?? rule[`${direction}Deny`]);
}

type Range = { cidr: string; except?: readonly string[] | undefined };
/** The fields of all four kinds of rules. */
export interface AnyRule {
  fromEndpoints?: readonly LabelSelector[] | undefined;
  toEndpoints?: readonly LabelSelector[] | undefined;
  fromEntities?: readonly string[] | undefined;
  toEntities?: readonly string[] | undefined;
  fromCIDR?: readonly string[] | undefined;
  toCIDR?: readonly string[] | undefined;
  fromCIDRSet?: readonly Range[] | undefined;
  toCIDRSet?: readonly Range[] | undefined;
  toFQDNs?: readonly unknown[] | undefined;
  toPorts?: readonly { ports: readonly Port[] }[] | undefined;
  icmps?: readonly IcmpRule[] | undefined;
}
interface Port {
  port: string;
  endPort?: number | undefined;
  protocol?: string | undefined;
}

function matches(rule: AnyRule, peer: Peer, flow: Flow): boolean {
  return matchesPeer(rule, peer) && matchesFlow(rule, flow);
}

/** A rule that names nobody is about everybody when it names ports, else about nobody. */
function matchesPeer(rule: AnyRule, peer: Peer): boolean {
  const endpoints = rule.fromEndpoints ?? rule.toEndpoints;
  const entities = rule.fromEntities ?? rule.toEntities;
  const cidrs = rule.fromCIDR ?? rule.toCIDR;
  const ranges = rule.fromCIDRSet ?? rule.toCIDRSet;
  if (endpoints) return peer.kind === 'container' && endpoints.some((one) => selects(one, peer.labels));
  if (entities) return entities.some((entity) => isOf(entity, peer));
  if (cidrs) return cidrs.some((cidr) => covers(cidr, peer));
  if (ranges) return ranges.some(({ cidr, except = [] }) => covers(cidr, peer) && !except.some((one) => covers(one, peer)));
  if (rule.toFQDNs) return false;
  return Boolean(rule.toPorts ?? rule.icmps);
}

const outside = ['world', 'none'];

function isOf(entity: string, peer: Peer): boolean {
  if (entity === 'all') return true;
  if (entity === 'cluster') return peer.kind === 'container' || (peer.kind === 'entity' && !outside.includes(peer.name));
  if (entity === 'world' && peer.kind === 'range') return true;
  return peer.kind === 'entity' && peer.name === entity;
}

function covers(text: string, peer: Peer): boolean {
  const outer = parseCidr(text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`);
  if (!outer || peer.kind === 'container') return false;
  if (peer.kind === 'entity') return peer.name === 'world' && outer.prefix === 0;
  const inner = parseCidr(peer.cidr);
  return inner !== null && inner.family === outer.family && inner.first >= outer.first && inner.last <= outer.last;
}

function matchesFlow({ toPorts, icmps }: AnyRule, flow: Flow): boolean {
  if (toPorts) return toPorts.some(({ ports }) => ports.some((one) => matchesPort(one, flow)));
  if (icmps) return icmps.some(({ fields }) => fields.some(({ family, type }) => icmpOf[family] === flow.protocol && type === flow.port));
  return true;
}

const icmpOf = { IPv4: 'ICMP', IPv6: 'ICMPv6' } as const;

/** Port 0 is every port. Any protocol is any that has ports, never ICMP. */
function matchesPort({ port, endPort, protocol = 'ANY' }: Port, flow: Flow): boolean {
  const first = Number(port);
  if (flow.protocol !== 'TCP' && flow.protocol !== 'UDP') return false;
  if (protocol !== 'ANY' && protocol !== flow.protocol) return false;
  return first === 0 || (flow.port >= first && flow.port <= Math.max(first, endPort ?? first));
}
