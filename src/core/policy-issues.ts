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

/** What of a policy needs the agent's DNS proxy, which this node does not run. */
export function dnsIssues(object: PolicyFile): PolicyIssue[] {
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
