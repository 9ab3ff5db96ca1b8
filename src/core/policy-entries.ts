import type { DnsName, IcmpRule } from '../model/policy-ports.ts';
import { type LabelSelector, namespaceKey } from '../model/selector.ts';
import type { AgentPolicy } from './agent-policy.ts';

/** What Cilium's agent makes of a policy file: the entries of its repository, which `GET /v1/policy` prints. Computed here from what was
 *  written, so that what the agent has can be compared with what it should have. Cilium 1.20: pkg/policy/utils, pkg/k8s/apis/cilium.io/utils. */

/** One entry, in a form in which equal ones are equal texts. */
type Entry = string;

type Rule = AgentPolicy['specs'][number];
interface AnyRule {
  peers: {
    endpoints?: readonly LabelSelector[] | undefined;
    entities?: readonly string[] | undefined;
    names?: readonly DnsName[] | undefined;
  };
  cidrs?: readonly string[] | undefined;
  ranges?: readonly { cidr: string; except?: readonly string[] | undefined }[] | undefined;
  toPorts?: readonly Ports[] | undefined;
  icmps?: readonly IcmpRule[] | undefined;
  mode?: string | undefined;
}
interface Ports {
  ports: readonly { port: string; endPort?: number | undefined; protocol?: string | undefined }[];
  rules?: { dns?: readonly DnsName[] | undefined } | undefined;
}

/** The entries of a policy on a node of this cluster, sorted. */
export function expectedEntries({ metadata: { namespace }, specs }: AgentPolicy, clusterName: string): Entry[] {
  return specs.flatMap((spec) => entriesOf(spec, namespace, clusterName)).sort();
}

function entriesOf(rule: Rule, namespace: string | undefined, cluster: string): Entry[] {
  const { ingress = [], ingressDeny = [], egress = [], egressDeny = [], enableDefaultDeny = {}, log } = rule;
  const subject = withSource(rule.endpointSelector);
  if (namespace) subject.labels[`k8s:${namespaceKey}`] = namespace;
  const of = (one: AnyRule, isIngress: boolean, deny: boolean): Entry =>
    canonical({
      Ingress: isIngress,
      Verdict: deny ? 1 : 0,
      DefaultDeny: (isIngress ? enableDefaultDeny.ingress : enableDefaultDeny.egress) ?? true,
      Log: log?.value ? { value: log.value } : {},
      Authentication: one.mode ? { mode: one.mode } : null,
      Subject: printed(subject),
      L3: peersOf(one, namespace, cluster),
      L4: [...(one.toPorts ?? []).map(portsOf), ...(one.icmps ?? []).map(icmpOf)],
    });
  const from = (one: (typeof ingress)[number] | (typeof ingressDeny)[number]): AnyRule => ({
    peers: { endpoints: one.fromEndpoints, entities: one.fromEntities },
    cidrs: one.fromCIDR,
    ranges: one.fromCIDRSet,
    toPorts: one.toPorts,
    icmps: one.icmps,
    mode: 'authentication' in one ? one.authentication?.mode : undefined,
  });
  const to = (one: (typeof egress)[number] | (typeof egressDeny)[number]): AnyRule => ({
    peers: { endpoints: one.toEndpoints, entities: one.toEntities, names: 'toFQDNs' in one ? one.toFQDNs : undefined },
    cidrs: one.toCIDR,
    ranges: one.toCIDRSet,
    toPorts: one.toPorts,
    icmps: one.icmps,
    mode: 'authentication' in one ? one.authentication?.mode : undefined,
  });
  return [
    ...ingress.map((one) => of(from(one), true, false)),
    ...ingressDeny.map((one) => of(from(one), true, true)),
    ...egress.map((one) => of(to(one), false, false)),
    ...egressDeny.map((one) => of(to(one), false, true)),
  ];
}

function peersOf(
  { peers: { endpoints = [], entities = [], names = [] }, cidrs = [], ranges = [] }: AnyRule,
  namespace: string | undefined,
  cluster: string,
) {
  return [
    ...endpoints.map((selector) => printed(inScope(withSource(selector), namespace, cluster))),
    ...entities.flatMap((entity) => entitySelectors(cluster)[entity] ?? []),
    ...cidrs.map((cidr) => `cidr:${cidr}`),
    ...ranges.map(({ cidr, except = [] }) => `cidr:${cidr}${except.length > 0 ? `-[${except.join(',')}]` : ''}`),
    ...names.map(({ matchName = '', matchPattern = '' }) => `MatchName: ${matchName}, MatchPattern: ${matchPattern}`),
  ];
}

interface Selector {
  labels: Record<string, string>;
  expressions: { key: string; operator: string; values?: readonly string[] | undefined }[];
}

/** A key without a source matches any. */
function withSource({ matchLabels = {}, matchExpressions = [] }: LabelSelector): Selector {
  const key = (name: string) => (name.includes(':') ? name : `any:${name}`);
  return {
    labels: Object.fromEntries(Object.entries(matchLabels).map(([name, value]) => [key(name), value])),
    expressions: matchExpressions.map((one) => ({ ...one, key: key(one.key) })),
  };
}

/** Peers are those of the policy's namespace (of any, for a clusterwide one) and of this cluster. */
function inScope({ labels, expressions }: Selector, namespace: string | undefined, cluster: string): Selector {
  const key = `k8s:${namespaceKey}`;
  return {
    labels: { ...labels, ...(namespace && { [key]: namespace }), 'k8s:io.cilium.k8s.policy.cluster': cluster },
    expressions: namespace ? expressions : [...expressions, { key, operator: 'Exists' }],
  };
}

function printed({ labels, expressions }: Selector): object {
  return {
    ...(Object.keys(labels).length > 0 && { matchLabels: labels }),
    ...(expressions.length > 0 && { matchExpressions: expressions }),
  };
}

function portsOf({ ports, rules }: Ports): object {
  return {
    ports: ports.map(({ port, endPort, protocol = 'ANY' }) => ({ port, ...(endPort && { endPort }), protocol })),
    ...(rules?.dns && { rules: { dns: rules.dns } }),
  };
}

function icmpOf({ fields }: IcmpRule): object {
  return { ports: fields.map(({ family, type }) => ({ port: String(type), protocol: family === 'IPv6' ? 'ICMPV6' : 'ICMP' })) };
}

const reserved = (name: string) => ({ matchLabels: { [`reserved:${name}`]: '' } });

/** EntitySelectorMapping of pkg/policy/api/entity.go. */
function entitySelectors(cluster: string): Record<string, object[]> {
  return {
    all: [{}],
    world: ['world', 'world-ipv4', 'world-ipv6', 'aggregate-world'].map(reserved),
    host: [reserved('host')],
    'remote-node': ['remote-node', 'aggregate-remote-node'].map(reserved),
    none: [reserved('none')],
    cluster: [
      ...['host', 'remote-node', 'init', 'ingress', 'health', 'unmanaged', 'kube-apiserver', 'aggregate-cluster'].map(reserved),
      { matchLabels: { 'k8s:io.cilium.k8s.policy.cluster': cluster } },
    ],
  };
}

/** What the agent holds, by file of its folder; null: entries that come from no file. */
export function entriesByFile(text: string): Map<string | null, Entry[]> {
  const files = new Map<string | null, Entry[]>();
  for (const one of listOf(text)) {
    const label = (Array.isArray(one.Labels) ? one.Labels : []).find(({ key, source }) => key === 'filename' && source === 'directory');
    const file = label?.value ?? null;
    files.set(file, [...(files.get(file) ?? []), canonical({ ...one })]);
  }
  for (const entries of files.values()) entries.sort();
  return files;
}

/** The agent's answer is untrusted: what is no list of entries is none. */
function listOf(text: string): RawEntry[] {
  try {
    const list: unknown = JSON.parse(text || '[]');
    return Array.isArray(list) ? list.filter((one) => typeof one === 'object' && one !== null) : [];
  } catch {
    return [];
  }
}

interface RawEntry extends Record<string, unknown> {
  Labels?: { key: string; value?: string; source: string }[];
}

const compared = ['Ingress', 'Verdict', 'DefaultDeny', 'Log', 'Authentication', 'Subject'] as const;

/** The order of peers, of ports and of keys says nothing, an absent list is an empty one. */
function canonical(entry: Record<string, unknown>): Entry {
  const parts = compared.map((key) => stable(entry[key] ?? null));
  const sorted = (value: unknown) => (Array.isArray(value) ? value.map(stable).sort() : []);
  return JSON.stringify([...parts, sorted(entry.L3), sorted(entry.L4)]);
}

function stable(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stable).sort().join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined && !(Array.isArray(inner) && inner.length === 0));
  return `{${entries
    .map(([key, inner]) => `${JSON.stringify(key)}:${stable(inner)}`)
    .sort()
    .join(',')}}`;
}
