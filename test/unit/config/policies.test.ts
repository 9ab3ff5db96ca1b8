import assert from 'node:assert/strict';
import { parsePolicy } from '../../../src/config/policies.ts';
import { renderYaml } from '../../../src/config/yaml.ts';
import { agentPolicy } from '../../../src/core/agent-policy.ts';
import { nodeIssues } from '../../../src/core/policy-issues.ts';
import type { PveCniError } from '../../../src/model/errors.ts';
import { defaultDeny } from '../../support/policies.ts';
import { createRig, problemOf, type Rig } from './rig.ts';

const cnp = (spec: object, more: object = {}) => ({
  apiVersion: 'cilium.io/v2',
  kind: 'CiliumNetworkPolicy',
  metadata: { name: 'p' },
  spec: { endpointSelector: {}, ...spec },
  ...more,
});
const knp = (spec: object) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'p' },
  spec: { podSelector: {}, ...spec },
});
const read = (object: unknown) => parsePolicy(renderYaml(object), 'policies/p.yaml');
const agents = (object: unknown) => agentPolicy(read(object)).specs;

describe('policies', () => {
  it('the example of the design is read, and is the agent’s namespaced policy', () => {
    const policy = parsePolicy(defaultDeny, 'policies/default-deny.yaml');
    assert.equal(policy.name, 'default-deny');
    assert.deepEqual(agentPolicy(policy), {
      apiVersion: 'cilium.io/v2',
      kind: 'CiliumNetworkPolicy',
      metadata: { name: 'default-deny', namespace: 'default' },
      specs: [
        {
          endpointSelector: { matchLabels: { type: 'container' } },
          ingress: [{ fromEndpoints: [{ matchLabels: { type: 'container' } }] }],
        },
      ],
    });
  });

  it('ports are numbers with and without quotes, kinds of ICMP numbers and names', () => {
    const [spec] = agents(
      cnp({
        ingress: [
          {
            toPorts: [
              {
                ports: [
                  { port: 80, protocol: 'TCP' },
                  { port: '8000', endPort: 8080 },
                ],
              },
            ],
          },
          { icmps: [{ fields: [{ type: 'EchoRequest' }, { type: '3' }, { family: 'IPv6', type: 128 }] }] },
        ],
      }),
    );
    assert.deepEqual(spec?.ingress, [
      {
        toPorts: [
          {
            ports: [
              { port: '80', protocol: 'TCP' },
              { port: '8000', endPort: 8080 },
            ],
          },
        ],
      },
      {
        icmps: [
          {
            fields: [
              { family: 'IPv4', type: 8 },
              { family: 'IPv4', type: 3 },
              { family: 'IPv6', type: 128 },
            ],
          },
        ],
      },
    ]);
  });

  it('what holds for every container, the namespace, is left out of selectors; labels of rules are not for the agent', () => {
    const [spec] = agents(
      cnp({
        labels: ['k8s:a=b'],
        endpointSelector: {
          matchLabels: { app: 'web', 'k8s:io.kubernetes.pod.namespace': 'default' },
          matchExpressions: [{ key: 'io.kubernetes.pod.namespace', operator: 'Exists' }],
        },
        ingress: [{}],
      }),
    );
    assert.deepEqual(spec, { endpointSelector: { matchLabels: { app: 'web' } }, ingress: [{}] });
  });

  describe('NetworkPolicy', () => {
    const cases: [string, object, object][] = [
      ['without rules closes ingress', {}, { endpointSelector: {}, ingress: [{}] }],
      [
        'of both types without rules closes both',
        { policyTypes: ['Ingress', 'Egress'] },
        { endpointSelector: {}, ingress: [{}], egress: [{}] },
      ],
      ['of egress alone leaves ingress', { policyTypes: ['Egress'] }, { endpointSelector: {}, egress: [{}] }],
      [
        'with egress rules is about both directions',
        { egress: [{}] },
        { endpointSelector: {}, ingress: [{}], egress: [{ toEntities: ['all'] }] },
      ],
      ['an empty list of egress rules alone is none', { egress: [] }, { endpointSelector: {}, ingress: [{}] }],
      [
        'a rule without peers is about everybody, a port without a protocol is TCP, no port is all',
        { ingress: [{ ports: [{ port: 80 }, { protocol: 'UDP' }, { port: 1, endPort: 9 }] }] },
        {
          endpointSelector: {},
          ingress: [
            {
              fromEntities: ['all'],
              toPorts: [
                {
                  ports: [
                    { port: '80', protocol: 'TCP' },
                    { port: '0', protocol: 'UDP' },
                    { port: '1', protocol: 'TCP', endPort: 9 },
                  ],
                },
              ],
            },
          ],
        },
      ],
      [
        'containers and ranges of a rule become two, with the same ports',
        {
          podSelector: { matchLabels: { app: 'db' } },
          ingress: [
            {
              from: [
                { podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: ['web'] }] } },
                { ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } },
                { namespaceSelector: {} },
              ],
              ports: [{ port: 5432 }],
            },
          ],
        },
        {
          endpointSelector: { matchLabels: { 'k8s:app': 'db' } },
          ingress: [
            {
              fromEndpoints: [{ matchExpressions: [{ key: 'k8s:app', operator: 'In', values: ['web'] }] }, {}],
              toPorts: [{ ports: [{ port: '5432', protocol: 'TCP' }] }],
            },
            {
              fromCIDRSet: [{ cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] }],
              toPorts: [{ ports: [{ port: '5432', protocol: 'TCP' }] }],
            },
          ],
        },
      ],
    ];
    for (const [name, spec, wanted] of cases) it(name, () => assert.deepEqual(agents(knp(spec)), [wanted]));
  });

  describe('are refused', () => {
    const rule = (one: object) => cnp({ ingress: [one] });
    const out = (one: object) => cnp({ egress: [one] });
    const ports = (one: object) => rule({ toPorts: [one] });
    const port = (one: object) => ports({ ports: [one] });
    const selecting = (matchLabels: object) => cnp({ endpointSelector: { matchLabels }, ingress: [{}] });
    const expression = (one: object) => cnp({ endpointSelector: { matchExpressions: [one] }, ingress: [{}] });
    const cases: [string, unknown, 'CONFIG_INVALID' | 'UNSUPPORTED', RegExp][] = [
      ['without a kind', { apiVersion: 'cilium.io/v2' }, 'CONFIG_INVALID', /kind.*CiliumNetworkPolicy/],
      ['of another version', { ...cnp({ ingress: [{}] }), apiVersion: 'cilium.io/v1' }, 'CONFIG_INVALID', /apiVersion.*cilium\.io\/v2/],
      ['of a kind that only Kubernetes brings', { kind: 'CiliumCIDRGroup' }, 'UNSUPPORTED', /CiliumCIDRGroup.*Kubernetes/],
      ['without a name', cnp({ ingress: [{}] }, { metadata: {} }), 'CONFIG_INVALID', /metadata\.name is missing/],
      ['with a name that is no file’s', cnp({ ingress: [{}] }, { metadata: { name: '../x' } }), 'CONFIG_INVALID', /metadata\.name/],
      ['with a name too long', cnp({ ingress: [{}] }, { metadata: { name: 'a'.repeat(201) } }), 'CONFIG_INVALID', /metadata\.name/],
      [
        'of another namespace',
        cnp({ ingress: [{}] }, { metadata: { name: 'p', namespace: 'web' } }),
        'UNSUPPORTED',
        /metadata\.namespace.*default/,
      ],
      [
        'clusterwide with a namespace',
        { ...cnp({ ingress: [{}] }), kind: 'CiliumClusterwideNetworkPolicy', metadata: { name: 'p', namespace: 'default' } },
        'UNSUPPORTED',
        /metadata\.namespace must be left out/,
      ],
      ['without rules', cnp({}), 'CONFIG_INVALID', /spec.*must have ingress/],
      ['without a spec', { ...cnp({}), spec: undefined }, 'CONFIG_INVALID', /must have spec/],
      ['with an empty list of rules', cnp({ ingress: [] }), 'CONFIG_INVALID', /spec\.ingress.*ingress: \[\{\}\]/],
      ['for nodes', cnp({ nodeSelector: {}, ingress: [{}] }), 'UNSUPPORTED', /spec\.nodeSelector.*firewall/],
      ['without a selector', { ...cnp({}), spec: { ingress: [{}] } }, 'CONFIG_INVALID', /spec\.endpointSelector is missing/],
      [
        'with a key that is not one, nearest named',
        rule({ fromEndpoint: [{}] }),
        'CONFIG_INVALID',
        /spec\.ingress\[0\]\.fromEndpoint.*fromEndpoints/,
      ],
      ['egress peers in an ingress rule', rule({ toEndpoints: [{}] }), 'CONFIG_INVALID', /toEndpoints is not a key/],
      [
        'two kinds of peers in a rule',
        rule({ fromEndpoints: [{}], fromEntities: ['host'] }),
        'CONFIG_INVALID',
        /fromEntities must be in a rule of its own/,
      ],
      ['an empty list of peers', rule({ fromEndpoints: [] }), 'CONFIG_INVALID', /fromEndpoints must have at least 1/],
      ['a rule that denies nothing', cnp({ ingressDeny: [{}] }), 'CONFIG_INVALID', /ingressDeny\[0\] must say what/],
      ['fromRequires', rule({ fromRequires: [{}] }), 'UNSUPPORTED', /fromRequires.*ignores/],
      ['groups of a cloud', rule({ fromGroups: [{}] }), 'UNSUPPORTED', /fromGroups/],
      ['nodes as peers', out({ toNodes: [{}] }), 'UNSUPPORTED', /toNodes.*remote-node/],
      ['services of Kubernetes', out({ toServices: [{}] }), 'UNSUPPORTED', /toServices.*Kubernetes/],
      ['groups of ranges', rule({ fromCIDRSet: [{ cidr: '10.0.0.0/8', cidrGroupRef: 'x' }] }), 'UNSUPPORTED', /cidrGroupRef/],
      ['a range that is none', rule({ fromCIDR: ['10.0.0'] }), 'CONFIG_INVALID', /fromCIDR\[0\] must be an address/],
      [
        'a range with host bits, the right one named',
        rule({ fromCIDR: ['10.1.2.3/8'] }),
        'CONFIG_INVALID',
        /fromCIDR\[0\] must be 10\.0\.0\.0\/8/,
      ],
      ['IPv4 as IPv6', rule({ fromCIDR: ['::ffff:10.0.0.1'] }), 'CONFIG_INVALID', /IPv4/],
      [
        'an exception outside its range',
        rule({ fromCIDRSet: [{ cidr: '10.0.0.0/8', except: ['11.0.0.0/16'] }] }),
        'CONFIG_INVALID',
        /except\[0\] must lie inside 10\.0\.0\.0\/8/,
      ],
      ['an entity that is none', rule({ fromEntities: ['hosts'] }), 'CONFIG_INVALID', /fromEntities\[0\].*did you mean host/],
      ['an entity of Kubernetes', rule({ fromEntities: ['kube-apiserver'] }), 'UNSUPPORTED', /fromEntities\[0\].*Kubernetes/],
      ['containers without labels, which there are none of', rule({ fromEntities: ['init'] }), 'UNSUPPORTED', /fromEntities\[0\]/],
      ['a port’s name', port({ port: 'http' }), 'CONFIG_INVALID', /ports\[0\]\.port must be the number/],
      ['a port too high', port({ port: 65536 }), 'CONFIG_INVALID', /ports\[0\]\.port/],
      ['a port in octal, which the agent would read so', port({ port: '010' }), 'CONFIG_INVALID', /ports\[0\]\.port/],
      ['a range that ends before it begins', port({ port: 90, endPort: 80 }), 'CONFIG_INVALID', /endPort must be 90 at least/],
      ['a range from every port', port({ port: 0, endPort: 80 }), 'CONFIG_INVALID', /endPort must be left out/],
      ['SCTP', port({ port: 80, protocol: 'SCTP' }), 'UNSUPPORTED', /protocol.*SCTP/],
      ['ICMP as a protocol of ports', port({ port: 0, protocol: 'ICMP' }), 'UNSUPPORTED', /protocol.*icmps/],
      ['a protocol in lower case, the right one named', port({ port: 80, protocol: 'tcp' }), 'CONFIG_INVALID', /did you mean TCP/],
      ['41 ports', ports({ ports: Array.from({ length: 41 }, (_, index) => ({ port: index + 1 })) }), 'CONFIG_INVALID', /at most 40/],
      ['HTTP rules', ports({ ports: [{ port: 80 }], rules: { http: [{}] } }), 'UNSUPPORTED', /rules\.http.*Envoy/],
      ['Kafka rules', ports({ ports: [{ port: 80 }], rules: { kafka: [{}] } }), 'UNSUPPORTED', /rules\.kafka/],
      ['names of servers', ports({ ports: [{ port: 443 }], serverNames: ['x'] }), 'UNSUPPORTED', /serverNames.*Envoy/],
      ['TLS contexts', ports({ ports: [{ port: 443 }], originatingTLS: {} }), 'UNSUPPORTED', /originatingTLS/],
      ['listeners', ports({ ports: [{ port: 443 }], listener: {} }), 'UNSUPPORTED', /listener/],
      [
        'DNS rules at ingress',
        ports({ ports: [{ port: 53 }], rules: { dns: [{ matchName: 'x' }] } }),
        'CONFIG_INVALID',
        /rules\.dns must be left out/,
      ],
      [
        'DNS rules on every port',
        out({ toPorts: [{ ports: [{ port: 0 }], rules: { dns: [{ matchName: 'x' }] } }] }),
        'CONFIG_INVALID',
        /ports\[0\] must be one port/,
      ],
      ['a name and a pattern', out({ toFQDNs: [{ matchName: 'x', matchPattern: '*' }] }), 'CONFIG_INVALID', /toFQDNs\[0\] must have one/],
      ['a DNS name with odd characters', out({ toFQDNs: [{ matchName: 'x y' }] }), 'CONFIG_INVALID', /matchName must be a DNS name/],
      [
        'ports and ICMP in a rule',
        rule({ toPorts: [{ ports: [{ port: 1 }] }], icmps: [{ fields: [{ type: 8 }] }] }),
        'CONFIG_INVALID',
        /icmps must be/,
      ],
      [
        'a kind of ICMP of the other family',
        rule({ icmps: [{ fields: [{ type: 'PacketTooBig' }] }] }),
        'CONFIG_INVALID',
        /type must be a number/,
      ],
      ['mutual authentication', rule({ authentication: { mode: 'required' } }), 'UNSUPPORTED', /authentication\.mode.*SPIRE/],
      ['a reserved label', selecting({ 'reserved:host': '' }), 'UNSUPPORTED', /reserved.*entity/],
      ['the absence of a reserved label', expression({ key: 'reserved:init', operator: 'DoesNotExist' }), 'UNSUPPORTED', /reserved/],
      ['labels of another source', selecting({ 'container:type': 'x' }), 'UNSUPPORTED', /source container/],
      ['labels of pods', selecting({ 'io.cilium.k8s.policy.serviceaccount': 'x' }), 'UNSUPPORTED', /no container has/],
      ['another namespace', selecting({ 'k8s:io.kubernetes.pod.namespace': 'web' }), 'UNSUPPORTED', /another namespace/],
      ['an operator that is none', expression({ key: 'a', operator: 'in', values: ['b'] }), 'CONFIG_INVALID', /did you mean In/],
      ['In without values', expression({ key: 'a', operator: 'In' }), 'CONFIG_INVALID', /values must have entries/],
      ['Exists with values', expression({ key: 'a', operator: 'Exists', values: ['b'] }), 'CONFIG_INVALID', /values must be left out/],
      ['a key that is none', selecting({ 'a b': 'c' }), 'CONFIG_INVALID', /label key/],
      ['a key with a prefix that is none', selecting({ 'a..b/c': 'd' }), 'CONFIG_INVALID', /label key/],
      ['a value that is none', selecting({ a: 'b c' }), 'CONFIG_INVALID', /matchLabels\.a must be at most 63/],
      [
        'namespaces that there are none of',
        knp({ ingress: [{ from: [{ namespaceSelector: { matchLabels: { a: 'b' } } }] }] }),
        'UNSUPPORTED',
        /namespaceSelector.*default/,
      ],
      [
        'rules of a direction that it is not about',
        knp({ policyTypes: ['Egress'], ingress: [{}] }),
        'CONFIG_INVALID',
        /spec\.ingress must be left out/,
      ],
      [
        'a peer that is both',
        knp({ ingress: [{ from: [{ podSelector: {}, ipBlock: { cidr: '10.0.0.0/8' } }] }] }),
        'CONFIG_INVALID',
        /ipBlock must be alone/,
      ],
      ['a peer that is nothing', knp({ ingress: [{ from: [{}] }] }), 'CONFIG_INVALID', /from\[0\] must have podSelector/],
      ['a name of a port of a pod', knp({ ingress: [{ ports: [{ port: 'http' }] }] }), 'UNSUPPORTED', /port.*number/],
      [
        'an exception outside of a block',
        knp({ egress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['9.0.0.0/8'] } }] }] }),
        'CONFIG_INVALID',
        /except\[0\]/,
      ],
    ];
    for (const [name, object, code, message] of cases)
      it(name, () => {
        assert.throws(
          () => read(object),
          (error: PveCniError) => {
            assert.match(error.message, message);
            assert.equal(error.code, code);
            return true;
          },
        );
      });

    it('a long wrong DNS name in no time', () => {
      const begin = performance.now();
      assert.throws(() => read(out({ toFQDNs: [{ matchPattern: `${'a'.repeat(254)}!` }] })));
      assert.ok(performance.now() - begin < 200);
    });
  });

  it('names and DNS rules are refused where no DNS proxy runs, each with its place', () => {
    const policy = read(
      cnp({
        egress: [{ toFQDNs: [{ matchName: 'x' }] }, { toPorts: [{ ports: [{ port: 53 }], rules: { dns: [{ matchPattern: '*' }] } }] }, {}],
      }),
    );
    assert.deepEqual(
      nodeIssues(policy.object, { dnsProxy: false, ipv6: true }).map(({ field, code }) => `${field} ${code}`),
      ['spec.egress[0].toFQDNs UNSUPPORTED', 'spec.egress[1].toPorts[0].rules.dns UNSUPPORTED'],
    );
  });

  it('the whole of IPv6 is refused where there is none, since the agent would let IPv4 pass; not beside the whole of IPv4', () => {
    const issues = (object: unknown) => nodeIssues(read(object).object, { dnsProxy: true, ipv6: false }).map(({ field }) => field);
    assert.deepEqual(issues(cnp({ egress: [{ toCIDR: ['::/0'] }] })), ['spec.egress[0].toCIDR[0]']);
    assert.deepEqual(issues(cnp({ egress: [{ toCIDR: ['0.0.0.0/0', '::/0'] }] })), []);
    const excepted = [{ cidr: '0.0.0.0/0', except: ['10.0.0.0/8'] }, { cidr: '::/0' }];
    assert.deepEqual(issues(cnp({ egressDeny: [{ toCIDRSet: excepted }] })), ['spec.egressDeny[0].toCIDRSet[1].cidr']);
    assert.deepEqual(issues(knp({ egress: [{ to: excepted.map((ipBlock) => ({ ipBlock })) }] })), ['spec.egress[0].to[1].ipBlock.cidr']);
    assert.deepEqual(issues(cnp({ egress: [{ toCIDR: ['fd00::/8'] }] })), []);
    assert.deepEqual(nodeIssues(read(cnp({ egress: [{ toCIDR: ['::/0'] }] })).object, { dnsProxy: true, ipv6: true }), []);
  });

  describe('as files', () => {
    let rig: Rig;
    beforeEach(() => {
      rig = createRig();
    });
    afterEach(() => rig.end());

    it('serve by their names, and a broken one leaves its last good version and the others as they are', async () => {
      rig.write('policies/a.yaml', defaultDeny);
      rig.write('policies/b.yaml', renderYaml(knp({})));
      const configuration = rig.start();
      assert.deepEqual([...(await configuration.refresh()).policies.keys()].sort(), ['default-deny', 'p']);
      rig.write('policies/a.yaml', defaultDeny.replace('fromEndpoints', 'fromEndpoint'));
      const after = await configuration.refresh();
      assert.deepEqual([...after.policies.keys()].sort(), ['default-deny', 'p']);
      assert.match(
        problemOf(after, 'policies/a.yaml').message,
        /spec\.ingress\[0\]\.fromEndpoint is not a key; did you mean fromEndpoints/,
      );
      assert.equal(after.problems[0]?.lastGoodServes, true);
    });

    it('of one name are a duplicate: the one that serves serves on', async () => {
      rig.write('policies/b.yaml', defaultDeny);
      const configuration = rig.start();
      await configuration.refresh();
      rig.write('policies/a.yaml', defaultDeny);
      const after = await configuration.refresh();
      assert.equal(after.policies.get('default-deny')?.file, 'policies/b.yaml');
      assert.equal(problemOf(after, 'policies/a.yaml').code, 'CONFIG_DUPLICATE');
    });

    it('are looked at before a container’s start', async () => {
      const configuration = rig.start();
      await configuration.refresh();
      rig.write('policies/a.yaml', defaultDeny);
      assert.ok((await configuration.refresh(101)).policies.has('default-deny'));
      rig.remove('policies/a.yaml');
      assert.ok(!(await configuration.refresh(101)).policies.has('default-deny'));
    });

    it('are written where their policy is, or by its name, and removed into the archive', async () => {
      rig.write('policies/first.yaml', defaultDeny);
      const configuration = rig.start();
      assert.equal(await configuration.writePolicy(defaultDeny.replace('container }', 'container, app: web }')), 'policies/first.yaml');
      assert.equal(await configuration.writePolicy(renderYaml(knp({}))), 'policies/p.yaml');
      assert.equal(configuration.current.policies.size, 2);
      await configuration.removePolicy('policies/first.yaml');
      assert.deepEqual([...configuration.current.policies.keys()], ['p']);
      await assert.rejects(configuration.writePolicy('kind: nothing\n'), { code: 'CONFIG_INVALID' });
      rig.write('policies/q.yaml', renderYaml({ ...knp({}), metadata: { name: 'r' } }));
      await assert.rejects(configuration.writePolicy(renderYaml({ ...knp({}), metadata: { name: 'q' } })), { code: 'CONFIG_DUPLICATE' });
    });
  });
});
