import type { ErrorCode } from '../model/error-codes.ts';
import type { CiliumPolicyFile, EgressRule, IngressRule, PolicyFile, PolicyRule } from '../model/policy.ts';
import { formatIp, parseCidr } from './ip.ts';

export interface PolicyIssue {
  field: string;
  message: string;
  code?: ErrorCode;
}

/** What is wrong with a policy that no single field shows: ranges that are none, exceptions that lie outside, directions that contradict
 *  each other. */
export function policyIssues(object: PolicyFile): PolicyIssue[] {
  if (object.kind !== 'NetworkPolicy') return sitesOf(object).flatMap(({ field, rule }) => ruleIssues(field, rule));
  const { policyTypes, ingress = [], egress = [] } = object.spec;
  return [
    ...(['ingress', 'egress'] as const).flatMap((key) => {
      const type = key === 'ingress' ? 'Ingress' : 'Egress';
      if (!policyTypes || policyTypes.includes(type) || object.spec[key] === undefined) return [];
      return [{ field: `spec.${key}`, message: `must be left out: policyTypes has no ${type}, so it would have no effect` }];
    }),
    ...ingress.flatMap(({ from = [] }, rule) =>
      from.flatMap(({ ipBlock }, index) => (ipBlock ? rangeIssues(`spec.ingress[${rule}].from[${index}].ipBlock`, ipBlock) : [])),
    ),
    ...egress.flatMap(({ to = [] }, rule) =>
      to.flatMap(({ ipBlock }, index) => (ipBlock ? rangeIssues(`spec.egress[${rule}].to[${index}].ipBlock`, ipBlock) : [])),
    ),
  ];
}

/** What the agent of a node does not do, or does otherwise than it is written. */
export interface NodeLimits {
  /** whether it runs its DNS proxy */
  dnsProxy: boolean;
  ipv6: boolean;
}

/** What of a policy would not be enforced as it is written on a node. */
export function nodeIssues(object: PolicyFile, { dnsProxy, ipv6 }: NodeLimits): PolicyIssue[] {
  return [...(dnsProxy ? [] : dnsIssues(object)), ...(ipv6 ? [] : wholeIpv6Issues(object))];
}

function dnsIssues(object: PolicyFile): PolicyIssue[] {
  if (object.kind === 'NetworkPolicy') return [];
  const refused = (field: string) => ({
    field,
    message: 'would not be enforced: this node runs no DNS proxy; set cilium.dnsPolicies in pve-cnid.yaml',
    code: 'UNSUPPORTED' as const,
  });
  return sitesOf(object).flatMap(({ field, rule }) =>
    (rule.egress ?? []).flatMap(({ toFQDNs, toPorts = [] }, index) => [
      ...(toFQDNs ? [refused(`${field}.egress[${index}].toFQDNs`)] : []),
      ...toPorts.flatMap(({ rules }, at) => (rules?.dns ? [refused(`${field}.egress[${index}].toPorts[${at}].rules.dns`)] : [])),
    ]),
  );
}

/** An agent of one family takes the whole of the other for the whole world: `::/0` would let all of IPv4 pass. It does no harm beside the
 *  whole of IPv4. */
function wholeIpv6Issues(object: PolicyFile): PolicyIssue[] {
  return rangeLists(object).flatMap(({ field, ranges }) => {
    if (ranges.some(({ cidr, excepts }) => cidr === '0.0.0.0/0' && !excepts)) return [];
    return ranges.flatMap(({ cidr, at }) => {
      const parsed = cidr.includes(':') ? parseCidr(cidr) : null;
      if (parsed?.prefix !== 0) return [];
      const message = `would let IPv4 pass, too: this node's agent carries no IPv6, and takes ${cidr} for the whole world; leave it out, or set cilium.ipv6Range`;
      return [{ field: `${field}${at}`, message, code: 'UNSUPPORTED' as const }];
    });
  });
}

/** Every list of ranges that a policy has, with its place. */
function rangeLists(object: PolicyFile): { field: string; ranges: { cidr: string; excepts: boolean; at: string }[] }[] {
  if (object.kind === 'NetworkPolicy') {
    const { ingress = [], egress = [] } = object.spec;
    const blocks = (peers: readonly { ipBlock?: { cidr: string; except?: readonly string[] | undefined } | undefined }[]) =>
      peers.flatMap(({ ipBlock }, index) =>
        ipBlock ? [{ cidr: ipBlock.cidr, excepts: (ipBlock.except ?? []).length > 0, at: `[${index}].ipBlock.cidr` }] : [],
      );
    return [
      ...ingress.map(({ from = [] }, index) => ({ field: `spec.ingress[${index}].from`, ranges: blocks(from) })),
      ...egress.map(({ to = [] }, index) => ({ field: `spec.egress[${index}].to`, ranges: blocks(to) })),
    ];
  }
  return sitesOf(object).flatMap(({ field, rule }) =>
    (['ingress', 'ingressDeny', 'egress', 'egressDeny'] as const).flatMap((key) =>
      (rule[key] ?? []).flatMap((one: Peers, index) => [
        ...(['fromCIDR', 'toCIDR'] as const).map((list) => ({
          field: `${field}.${key}[${index}].${list}`,
          ranges: (one[list] ?? []).map((cidr, at) => ({ cidr, excepts: false, at: `[${at}]` })),
        })),
        ...(['fromCIDRSet', 'toCIDRSet'] as const).map((list) => ({
          field: `${field}.${key}[${index}].${list}`,
          ranges: (one[list] ?? []).map(({ cidr, except = [] }, at) => ({ cidr, excepts: except.length > 0, at: `[${at}].cidr` })),
        })),
      ]),
    ),
  );
}

function sitesOf({ spec, specs = [] }: CiliumPolicyFile): { field: string; rule: PolicyRule }[] {
  return [...(spec ? [{ field: 'spec', rule: spec }] : []), ...specs.map((rule, index) => ({ field: `specs[${index}]`, rule }))];
}

function ruleIssues(field: string, rule: PolicyRule): PolicyIssue[] {
  return (['ingress', 'ingressDeny', 'egress', 'egressDeny'] as const).flatMap((key) =>
    (rule[key] ?? []).flatMap((one, index) => peerIssues(`${field}.${key}[${index}]`, one)),
  );
}

type Peers = Partial<Pick<IngressRule, 'fromCIDR' | 'fromCIDRSet'> & Pick<EgressRule, 'toCIDR' | 'toCIDRSet'>>;

function peerIssues(field: string, rule: Peers): PolicyIssue[] {
  const addresses = (['fromCIDR', 'toCIDR'] as const).flatMap((key) =>
    (rule[key] ?? []).flatMap((text, index) => issueOfRange(`${field}.${key}[${index}]`, text.includes('/') ? text : withLength(text))),
  );
  const ranges = (['fromCIDRSet', 'toCIDRSet'] as const).flatMap((key) =>
    (rule[key] ?? []).flatMap((one, index) => rangeIssues(`${field}.${key}[${index}]`, one)),
  );
  return [...addresses, ...ranges];
}

function withLength(address: string): string {
  return `${address}/${address.includes(':') ? 128 : 32}`;
}

function rangeIssues(field: string, { cidr, except = [] }: { cidr: string; except?: readonly string[] | undefined }): PolicyIssue[] {
  const own = issueOfRange(`${field}.cidr`, cidr);
  const outer = parseCidr(cidr);
  const others = except.flatMap((text, index) => {
    const at = `${field}.except[${index}]`;
    const wrong = issueOfRange(at, text);
    const inner = parseCidr(text);
    if (wrong.length > 0 || !inner || !outer) return wrong;
    if (inner.family === outer.family && inner.first >= outer.first && inner.last <= outer.last) return [];
    return [{ field: at, message: `must lie inside ${cidr}; ${text} does not` }];
  });
  return [...own, ...others];
}

/** The first address, and IPv4 written as IPv4: what the agent makes of other forms is not what people mean. */
function issueOfRange(field: string, text: string): PolicyIssue[] {
  const parsed = parseCidr(text);
  if (!parsed) return [{ field, message: 'must be an address with a prefix length, such as 10.20.0.0/24' }];
  const first = formatIp({ family: parsed.family, value: parsed.first });
  if (parsed.family === 6 && parsed.first >> 32n === 0xffffn)
    return [{ field, message: `must be written as IPv4: ${text} is an IPv4 address in IPv6’s form` }];
  if (parsed.first === parsed.last || parsed.first === addressOf(text)) return [];
  return [{ field, message: `must be ${first}/${parsed.prefix}: ${text} is an address inside that range` }];
}

function addressOf(text: string): bigint | undefined {
  return parseCidr(withLength(text.split('/')[0] ?? ''))?.first;
}
