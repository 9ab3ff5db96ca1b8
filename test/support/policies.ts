import fc from 'fast-check';
import { icmpTypes } from '../../src/model/policy-ports.ts';

/** Random policies that people may write: every field that is allowed, in every combination that is allowed. */

/** The example of the design: containers reach containers, nothing else does. */
export const defaultDeny = `apiVersion: "cilium.io/v2"
kind: CiliumNetworkPolicy
metadata: { name: "default-deny" }
spec:
  endpointSelector: { matchLabels: { type: container } }
  ingress:
    - fromEndpoints: [{ matchLabels: { type: container } }]
`;

const alnum = [...'abcdefghijklmnopqrstuvwxyz0123456789'];
const word = (characters: string[], max: number) =>
  fc
    .tuple(fc.constantFrom(...alnum), fc.array(fc.constantFrom(...characters), { maxLength: max - 2 }), fc.constantFrom(...alnum))
    .map(([first, inner, last]) => `${first}${inner.join('')}${last}`);
const dnsLabel = word([...alnum, '-'], 12);
const labelName = word([...alnum, '-', '_', '.', 'A', 'Z'], 63).filter(
  (name) => !/^(annotation|etcd_node|controller|pod-template)/.test(name),
);
const key = fc
  .tuple(fc.constantFrom('', 'any:', 'k8s:'), fc.option(fc.array(dnsLabel, { minLength: 1, maxLength: 3 })), labelName)
  .map(([source, prefix, name]) => `${source}${prefix ? `${prefix.join('.')}/` : ''}${name}`);
const namespaceKey = fc.constantFrom('io.kubernetes.pod.namespace', 'k8s:io.kubernetes.pod.namespace', 'any:io.kubernetes.pod.namespace');
const value = fc.oneof(fc.constant(''), fc.constantFrom('container', 'web'), labelName);
const few = <T>(one: fc.Arbitrary<T>, maxLength = 3) => fc.array(one, { minLength: 1, maxLength });

const expression = fc.oneof(
  fc.record({ key, operator: fc.constantFrom('In', 'NotIn'), values: few(value, 4) }),
  fc.record({ key, operator: fc.constantFrom('Exists', 'DoesNotExist') }),
  fc.record({ key: namespaceKey, operator: fc.constant('In'), values: fc.constant(['default']) }),
  fc.record({ key: namespaceKey, operator: fc.constant('Exists') }),
);
const matchLabels = fc.oneof(
  fc.dictionary(key, value, { maxKeys: 3 }),
  fc.tuple(namespaceKey, fc.dictionary(key, value, { maxKeys: 2 })).map(([name, rest]) => ({ ...rest, [name]: 'default' })),
  fc.constant({ type: 'container' }),
);
const selector = fc.record({ matchLabels, matchExpressions: fc.array(expression, { maxLength: 3 }) }, { requiredKeys: [] });

const ipv4 = fc.nat(0xffffffff).map((number) => [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.'));
const ipv4Range = fc.tuple(fc.nat(0xffffffff), fc.nat(32)).map(([number, prefix]) => {
  const first = prefix === 0 ? 0 : ((number >>> (32 - prefix)) << (32 - prefix)) >>> 0;
  return `${[24, 16, 8, 0].map((shift) => (first >>> shift) & 255).join('.')}/${prefix}`;
});
const ipv6Range = fc.constantFrom('::/0', 'fd00:1::/64', '2001:db8::/32', 'fd00::1/128', 'fe80::/10', '2001:db8:0:1::/64');
const address = fc.oneof(ipv4, ipv4Range, ipv6Range, fc.constantFrom('fd00::1', '2001:db8::1'));
const rangeWithExcept = fc.oneof(
  fc.oneof(ipv4Range, ipv6Range).map((cidr) => ({ cidr })),
  fc
    .tuple(fc.nat(255), few(fc.nat(255)))
    .map(([first, inner]) => ({ cidr: `${first}.0.0.0/8`, except: inner.map((one) => `${first}.${one}.0.0/16`) })),
  fc.constant({ cidr: 'fd00::/8', except: ['fd00:1::/32'] }),
);
const entities = few(fc.constantFrom('all', 'world', 'cluster', 'host', 'remote-node', 'none'), 6);

const protocol = fc.constantFrom('TCP', 'UDP', 'ANY');
const number = fc.integer({ min: 0, max: 65535 });
const port = fc.oneof(
  fc.record({ port: fc.oneof(number, number.map(String)), protocol }, { requiredKeys: ['port'] }),
  fc
    .tuple(fc.integer({ min: 1, max: 65535 }), fc.integer({ min: 1, max: 65535 }), protocol)
    .map(([one, other, protocol]) => ({ port: String(Math.min(one, other)), endPort: Math.max(one, other), protocol })),
);
const portDenyRules = few(fc.record({ ports: few(port, 5) }));
const name = fc.oneof(
  fc.constantFrom('example.org', 'www.example.org.', 'a_b.test').map((matchName) => ({ matchName })),
  fc.constantFrom('*', '*.example.org', '**.test', 'sub*.example.org').map((matchPattern) => ({ matchPattern })),
);
const icmps = few(
  fc.record({
    fields: few(
      fc.oneof(
        fc.record({ type: fc.oneof(fc.nat(255), fc.nat(255).map(String), fc.constantFrom(...Object.keys(icmpTypes.IPv4))) }),
        fc.record({ family: fc.constant('IPv6'), type: fc.oneof(fc.nat(255), fc.constantFrom(...Object.keys(icmpTypes.IPv6))) }),
      ),
    ),
  }),
);

const peers = (direction: 'from' | 'to', more: fc.Arbitrary<object>[] = []) =>
  fc.oneof(
    few(selector).map((list) => ({ [`${direction}Endpoints`]: list })),
    few(address).map((list) => ({ [`${direction}CIDR`]: list })),
    few(rangeWithExcept).map((list) => ({ [`${direction}CIDRSet`]: list })),
    entities.map((list) => ({ [`${direction}Entities`]: list })),
    ...more,
  );
const authentication = fc.option(fc.constant({ authentication: { mode: 'disabled' } })).map((one) => one ?? {});
const joined = (...parts: fc.Arbitrary<object>[]) => fc.tuple(...parts).map((all) => Object.assign({}, ...all) as object);
const nothing = fc.constant({});

const ports = (dns: boolean) =>
  few(
    dns
      ? fc.oneof(
          fc.record({ ports: few(port, 5) }),
          fc.record({
            ports: fc.constantFrom(
              [{ port: 53 }],
              [
                { port: '53', protocol: 'UDP' },
                { port: 5353, protocol: 'TCP' },
              ],
            ),
            rules: few(name).map((list) => ({ dns: list })),
          }),
        )
      : fc.record({ ports: few(port, 5) }),
  );
const allow = (direction: 'from' | 'to', dns: boolean) =>
  joined(
    fc.oneof(nothing, peers(direction, dns ? [few(name).map((list) => ({ toFQDNs: list }))] : [])),
    fc.oneof(
      nothing,
      ports(dns).map((list) => ({ toPorts: list })),
      icmps.map((list) => ({ icmps: list })),
    ),
    authentication,
  );
const deny = (direction: 'from' | 'to') =>
  fc.oneof(
    joined(
      peers(direction),
      fc.oneof(
        nothing,
        portDenyRules.map((list) => ({ toPorts: list })),
        icmps.map((list) => ({ icmps: list })),
      ),
    ),
    portDenyRules.map((list) => ({ toPorts: list })),
    icmps.map((list) => ({ icmps: list })),
  );

const rule = (dns: boolean) =>
  fc
    .record(
      {
        endpointSelector: selector,
        description: fc.string({ maxLength: 40, unit: 'binary-ascii' }),
        labels: fc.constantFrom(['k8s:a=b'], [{ key: 'a', value: 'b', source: 'k8s' }]),
        log: fc.record({ value: fc.constantFrom('audit', 'ü — 7', '') }, { requiredKeys: [] }),
        enableDefaultDeny: fc.record({ ingress: fc.boolean(), egress: fc.boolean() }, { requiredKeys: [] }),
        ingress: few(allow('from', false)),
        ingressDeny: few(deny('from')),
        egress: few(allow('to', dns)),
        egressDeny: few(deny('to')),
      },
      { requiredKeys: ['endpointSelector'] },
    )
    .filter(({ ingress, ingressDeny, egress, egressDeny }) => Boolean(ingress ?? ingressDeny ?? egress ?? egressDeny));

const metadata = (namespaced: boolean) =>
  fc.record(
    {
      name: fc.array(dnsLabel, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('.')),
      labels: fc.constant({ team: 'net' }),
      annotations: fc.constant({ why: 'because' }),
      ...(namespaced && { namespace: fc.constant('default') }),
    },
    { requiredKeys: ['name'] },
  );
const specs = (dns: boolean) =>
  fc.oneof(
    rule(dns).map((spec) => ({ spec })),
    few(rule(dns)).map((list) => ({ specs: list })),
  );

const peer = fc.oneof(
  fc.record(
    { podSelector: selector, namespaceSelector: fc.constantFrom({}, { matchLabels: { 'kubernetes.io/metadata.name': 'default' } }) },
    { requiredKeys: ['podSelector'] },
  ),
  fc.record({ namespaceSelector: fc.constant({}) }),
  rangeWithExcept.map((ipBlock) => ({ ipBlock })),
);
const networkPort = fc.oneof(
  fc.record({ port: fc.integer({ min: 1, max: 65535 }), protocol }, { requiredKeys: [] }),
  fc.tuple(fc.integer({ min: 1, max: 30000 }), fc.nat(30000)).map(([port, more]) => ({ port, endPort: port + more, protocol: 'UDP' })),
);
const networkRule = (peers: 'from' | 'to') =>
  fc.record({ [peers]: fc.array(peer, { maxLength: 3 }), ports: fc.array(networkPort, { maxLength: 3 }) }, { requiredKeys: [] });
const networkSpec = fc.record(
  {
    podSelector: selector,
    policyTypes: fc.constantFrom(['Ingress', 'Egress']),
    ingress: fc.array(networkRule('from'), { maxLength: 3 }),
    egress: fc.array(networkRule('to'), { maxLength: 3 }),
  },
  { requiredKeys: ['podSelector'] },
);

/** `dns`: also what needs the agent's DNS proxy. */
export const anyPolicy = ({ dns = false } = {}): fc.Arbitrary<{ kind: string; metadata: { name: string } }> =>
  fc.oneof(
    joined(
      fc.constant({ apiVersion: 'cilium.io/v2', kind: 'CiliumNetworkPolicy' }),
      metadata(true).map((one) => ({ metadata: one })),
      specs(dns),
    ),
    joined(
      fc.constant({ apiVersion: 'cilium.io/v2', kind: 'CiliumClusterwideNetworkPolicy' }),
      metadata(false).map((one) => ({ metadata: one })),
      specs(dns),
    ),
    joined(
      fc.constant({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' }),
      metadata(true).map((one) => ({ metadata: one })),
      networkSpec.map((spec) => ({ spec })),
    ),
  ) as fc.Arbitrary<{ kind: string; metadata: { name: string } }>;

/** Policies that select containers by their role (`app`), and peers that there are: rules that have an effect. */
export const policyBetween = (roles: readonly string[]): fc.Arbitrary<{ kind: string }> => {
  const role = fc.oneof(
    fc.constantFrom(...roles).map((app) => ({ matchLabels: { app } })),
    fc.subarray([...roles], { minLength: 1 }).map((values) => ({ matchExpressions: [{ key: 'app', operator: 'In', values }] })),
    fc.constantFrom(...roles).map((app) => ({ matchExpressions: [{ key: 'k8s:app', operator: 'NotIn', values: [app] }] })),
    fc.constant({}),
  );
  const smallPort = fc.oneof(
    fc.record({ port: fc.constantFrom(0, 80, 443, 5432), protocol }, { requiredKeys: ['port'] }),
    fc
      .tuple(fc.integer({ min: 1, max: 2000 }), fc.nat(300), protocol)
      .map(([port, more, protocol]) => ({ port, endPort: port + more, protocol })),
  );
  const toPorts = few(fc.record({ ports: few(smallPort) }), 2).map((list) => ({ toPorts: list }));
  const echo = fc.constant({ icmps: [{ fields: [{ type: 8 }] }] });
  const range = fc.constantFrom('0.0.0.0/0', '10.99.0.0/24', '192.0.2.0/25');
  const ranges = fc.oneof(
    range.map((cidr) => ({ cidr })),
    fc.constant({ cidr: '10.99.0.0/16', except: ['10.99.0.0/25'] }),
  );
  const who = (direction: 'from' | 'to') =>
    fc.oneof(
      few(role, 2).map((list) => ({ [`${direction}Endpoints`]: list })),
      entities.map((list) => ({ [`${direction}Entities`]: list })),
      few(range, 2).map((list) => ({ [`${direction}CIDR`]: list })),
      few(ranges, 2).map((list) => ({ [`${direction}CIDRSet`]: list })),
    );
  const allows = (direction: 'from' | 'to') => joined(fc.oneof(nothing, who(direction)), fc.oneof(nothing, toPorts, echo));
  const denies = (direction: 'from' | 'to') => fc.oneof(joined(who(direction), fc.oneof(nothing, toPorts, echo)), toPorts);
  const spec = fc
    .record(
      {
        endpointSelector: role,
        enableDefaultDeny: fc.record({ ingress: fc.boolean(), egress: fc.boolean() }, { requiredKeys: [] }),
        ingress: few(allows('from'), 2),
        ingressDeny: few(denies('from'), 2),
        egress: few(allows('to'), 2),
        egressDeny: few(denies('to'), 2),
      },
      { requiredKeys: ['endpointSelector'] },
    )
    .filter(({ ingress, ingressDeny, egress, egressDeny }) => Boolean(ingress ?? ingressDeny ?? egress ?? egressDeny));
  return fc
    .tuple(fc.constantFrom('CiliumNetworkPolicy', 'CiliumClusterwideNetworkPolicy'), spec)
    .map(([kind, one]) => ({ apiVersion: 'cilium.io/v2', kind, spec: one }));
};
