import assert from 'node:assert/strict';
import { parsePolicy } from '../../../src/config/policies.ts';
import { renderYaml } from '../../../src/config/yaml.ts';
import { kernelDifferences } from '../../../src/core/policy-differences.ts';
import { entryOf, kernelAllows, type MapEntry, portsOf } from '../../../src/core/policy-map.ts';
import { type Flow, isAllowed, isEnforced, type Peer, policiesOf } from '../../../src/core/policy-verdict.ts';
import { defaultDeny } from '../../support/policies.ts';

const web = { type: 'container', app: 'web' };
const db = { type: 'container', app: 'db' };
const from = (labels: Record<string, string>): Peer => ({ kind: 'container', labels });
const entity = (name: string): Peer => ({ kind: 'entity', name });
const range = (cidr: string): Peer => ({ kind: 'range', cidr });
const tcp = (port: number): Flow => ({ protocol: 'TCP', port });
const udp = (port: number): Flow => ({ protocol: 'UDP', port });
const echo: Flow = { protocol: 'ICMP', port: 8 };

const policy = (name: string, spec: object) =>
  parsePolicy(
    renderYaml({ apiVersion: 'cilium.io/v2', kind: 'CiliumNetworkPolicy', metadata: { name }, spec: { endpointSelector: {}, ...spec } }),
    `policies/${name}.yaml`,
  );

describe('what policies say', () => {
  it('the example of the design: containers in, nobody else; out, everybody', () => {
    const policies = [parsePolicy(defaultDeny, 'policies/default-deny.yaml')];
    assert.equal(isAllowed(policies, web, 'ingress', from(db), tcp(1)), true);
    assert.equal(isAllowed(policies, web, 'ingress', from({ type: 'vm' }), tcp(1)), false);
    for (const name of ['host', 'world', 'remote-node']) assert.equal(isAllowed(policies, web, 'ingress', entity(name), echo), false);
    assert.equal(isAllowed(policies, web, 'egress', entity('world'), tcp(443)), true);
    assert.deepEqual([isEnforced(policies, web, 'ingress'), isEnforced(policies, web, 'egress')], [true, false]);
  });

  const cases: [string, object, Peer, Flow, boolean][] = [
    ['an empty rule allows nothing', { ingress: [{}] }, from(db), tcp(1), false],
    ['a rule of ports alone is about everybody', { ingress: [{ toPorts: [{ ports: [{ port: 80 }] }] }] }, entity('world'), tcp(80), true],
    ['its other ports are closed', { ingress: [{ toPorts: [{ ports: [{ port: 80 }] }] }] }, entity('world'), tcp(81), false],
    ['a protocol', { ingress: [{ toPorts: [{ ports: [{ port: 80, protocol: 'UDP' }] }] }] }, from(db), tcp(80), false],
    ['a range of ports, its last', { ingress: [{ toPorts: [{ ports: [{ port: 80, endPort: 90 }] }] }] }, from(db), udp(90), true],
    ['a range of ports, behind it', { ingress: [{ toPorts: [{ ports: [{ port: 80, endPort: 90 }] }] }] }, from(db), udp(91), false],
    ['every port is none of ICMP', { ingress: [{ toPorts: [{ ports: [{ port: 0 }] }] }] }, from(db), echo, false],
    ['a kind of ICMP', { ingress: [{ icmps: [{ fields: [{ type: 'EchoRequest' }] }] }] }, from(db), echo, true],
    ['no ports are all, ICMP too', { ingress: [{ fromEntities: ['all'] }] }, from(db), echo, true],
    ['the cluster is containers and nodes', { ingress: [{ fromEntities: ['cluster'] }] }, entity('remote-node'), tcp(1), true],
    ['and not the world', { ingress: [{ fromEntities: ['cluster'] }] }, entity('world'), tcp(1), false],
    ['a range inside a range', { ingress: [{ fromCIDR: ['10.0.0.0/8'] }] }, range('10.1.0.0/16'), tcp(1), true],
    ['a wider one', { ingress: [{ fromCIDR: ['10.1.0.0/16'] }] }, range('10.0.0.0/8'), tcp(1), false],
    [
      'an exception',
      { ingress: [{ fromCIDRSet: [{ cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] }] }] },
      range('10.1.2.0/24'),
      tcp(1),
      false,
    ],
    ['ranges are never containers', { ingress: [{ fromCIDR: ['0.0.0.0/0'] }] }, from(db), tcp(1), false],
    [
      'C39 denied is denied, however narrow the rule that allows it',
      { ingress: [{ fromCIDR: ['10.1.2.3'] }], ingressDeny: [{ fromCIDR: ['10.0.0.0/8'] }] },
      range('10.1.2.3/32'),
      tcp(1),
      false,
    ],
    ['without default deny only what is denied is', { ingress: [{}], enableDefaultDeny: { ingress: false } }, from(db), tcp(1), true],
  ];
  for (const [name, spec, peer, flow, expected] of cases)
    it(name, () => assert.equal(isAllowed([policy('p', spec)], web, 'ingress', peer, flow), expected));

  it('of several policies each may allow, each may deny', () => {
    const one = policy('one', { ingress: [{ fromEndpoints: [{ matchLabels: { app: 'db' } }] }] });
    const two = policy('two', { endpointSelector: { matchLabels: { app: 'web' } }, ingress: [{ fromEntities: ['host'] }] });
    const three = policy('three', { ingressDeny: [{ fromEntities: ['host'], toPorts: [{ ports: [{ port: 22 }] }] }] });
    const all = [one, two, three];
    assert.equal(isAllowed(all, web, 'ingress', from(db), tcp(1)), true);
    assert.equal(isAllowed(all, web, 'ingress', entity('host'), tcp(80)), true);
    assert.equal(isAllowed(all, web, 'ingress', entity('host'), tcp(22)), false);
    assert.equal(isAllowed(all, db, 'ingress', entity('host'), tcp(80)), false);
    assert.deepEqual(
      policiesOf(all, db).map(({ policy: { name } }) => name),
      ['one', 'three'],
    );
  });
});

describe('the kernel’s policy map', () => {
  const entry = (changes: Partial<MapEntry>): MapEntry => ({
    direction: 'ingress',
    identity: 0,
    protocol: 0,
    port: 0,
    prefix: 0,
    deny: false,
    precedence: 1,
    packets: null,
    bytes: null,
    ...changes,
  });

  it('the longest entry of an identity decides, and a higher precedence of everybody’s', () => {
    const entries = [
      entry({ identity: 5000, protocol: 6, prefix: 8 }),
      entry({ identity: 5000, protocol: 6, port: 22, prefix: 24, deny: true, precedence: 9 }),
      entry({ identity: 11, protocol: 6, port: 23, prefix: 24, deny: true, precedence: 9 }),
      entry({ identity: 0, protocol: 17, port: 53, prefix: 24 }),
    ];
    assert.equal(kernelAllows(entries, 'ingress', 5000, tcp(80)), true);
    assert.equal(kernelAllows(entries, 'ingress', 5000, tcp(22)), false);
    assert.equal(kernelAllows(entries, 'ingress', 5000, tcp(23)), false);
    assert.equal(kernelAllows(entries, 'ingress', 5001, tcp(80)), false);
    assert.equal(kernelAllows(entries, 'ingress', 5001, udp(53)), true);
    assert.equal(kernelAllows(entries, 'egress', 5000, tcp(80)), false);
  });

  it('ports are read in the order of the network’s bytes, ranges as their prefix', () => {
    const key = { Identity: 5000, TrafficDirection: 0, Nexthdr: 6, DestPortNetwork: 0x5000 };
    const one = entryOf({ Flags: (24 << 3) | 1, Precedence: 1, Packets: 3, Bytes: 18446744073709552000, Key: key });
    assert.deepEqual([one.port, one.prefix, one.deny, one.packets, one.bytes], [80, 24, true, 3, null]);
    assert.deepEqual(portsOf(one), { protocol: 'TCP', ports: '80' });
    assert.deepEqual(portsOf({ ...one, prefix: 20 }), { protocol: 'TCP', ports: '80-95' });
    assert.deepEqual(portsOf({ ...one, prefix: 8 }), { protocol: 'TCP', ports: 'all' });
    assert.deepEqual(portsOf({ ...one, prefix: 0 }), { protocol: 'any', ports: 'all' });
  });

  it('an entry that no policy explains, and one that is missing, are told with peer and port', () => {
    const policies = [
      policy('p', {
        ingress: [{ fromEndpoints: [{ matchLabels: { app: 'db' } }], toPorts: [{ ports: [{ port: 5432, protocol: 'TCP' }] }] }],
      }),
    ];
    const identities = [
      { id: 5000, name: 'container 102', peer: from(db) },
      { id: 2, name: 'world', peer: entity('world') },
    ];
    const all = entry({ direction: 'egress' });
    const right = entry({ identity: 5000, protocol: 6, port: 5432, prefix: 24 });
    assert.deepEqual(kernelDifferences(policies, web, [all, right], identities), []);
    assert.deepEqual(kernelDifferences(policies, web, [all], identities), [
      'the policies allow TCP 5432 from container 102, the kernel does not',
    ]);
    assert.deepEqual(
      kernelDifferences(policies, web, [all, right, entry({ identity: 2, protocol: 17, port: 53, prefix: 24 })], identities),
      ['the kernel lets UDP 53 from world pass, the policies do not allow it'],
    );
  });
});
