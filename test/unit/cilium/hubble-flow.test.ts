import assert from 'node:assert/strict';
import fc from 'fast-check';
import { flowOf, lossOf } from '../../../src/cilium/hubble-flow.ts';
import type { RawFlow } from '../../../src/cilium/hubble-protocol.ts';

const ours = (vmid: number, name: string) => [
  'k8s:app=web',
  'k8s:io.cilium.k8s.policy.cluster=default',
  'k8s:io.kubernetes.pod.namespace=default',
  `k8s:name=${name}`,
  'k8s:type=container',
  `k8s:vmid=${vmid}`,
];

/** As the agent sends it for a connection that policies let in. */
const allowed: RawFlow = {
  time: { seconds: 1_700_000_000, nanos: 123_456_789 },
  verdict: 1,
  eventType: { type: 5, subType: 0 },
  trafficDirection: 1,
  IP: { source: '10.201.1.112', destination: '10.201.1.87' },
  l4: { TCP: { sourcePort: 41_000, destinationPort: 80 } },
  source: { ID: 7, identity: 50_436, labels: ours(101, 'web') },
  destination: { ID: 8, identity: 56_582, labels: ours(102, 'db') },
  ingressAllowedBy: [{ labels: ['directory:filename=web-to-db.yaml', 'directory:policy-derived-from=CiliumNetworkPolicy'] }],
};
const nobody = () => null;

describe('a flow of Hubble', () => {
  const decoded = (changes: RawFlow = {}, owner: Parameters<typeof flowOf>[1] = nobody) => {
    const flow = flowOf({ ...allowed, ...changes }, owner);
    assert.ok(flow);
    return flow;
  };

  it('names both containers, the port, the direction and the policy', () => {
    assert.deepEqual(decoded(), {
      time: 1_700_000_000_123,
      origin: 'hubble',
      verdict: 'forwarded',
      direction: 'ingress',
      protocol: 'tcp',
      from: { kind: 'container', vmid: 101, name: 'web', address: '10.201.1.112', port: 41_000 },
      to: { kind: 'container', vmid: 102, name: 'db', address: '10.201.1.87', port: 80 },
      reason: '',
      policies: ['web-to-db'],
      detail: '',
    });
  });

  for (const [number, words] of [
    [133, 'no policy allows it'],
    [181, 'a policy denies it'],
    [132, 'source address is not the container’s own'],
    [250, 'reason 250'],
    [0, 'no reason given'],
  ] as const)
    it(`says why it was dropped: ${number} is "${words}"`, () =>
      assert.equal(decoded({ verdict: 2, dropReasonDesc: number }).reason, words));

  it('says that a proxy dropped it', () => {
    assert.equal(decoded({ verdict: 2, l7: { dns: { query: 'evil.example.', qtypes: ['A'] } } }).reason, 'no rule allows the content');
  });

  const ends: [string, NonNullable<RawFlow['source']> | null, string, object][] = [
    ['host', { labels: ['reserved:host'] }, '10.99.0.11', { kind: 'host', vmid: null, name: '' }],
    ['another node', { labels: ['reserved:remote-node'] }, '10.99.0.12', { kind: 'node', vmid: null, name: '' }],
    ['world', { labels: ['reserved:world-ipv4'] }, '203.0.113.7', { kind: 'world', vmid: null, name: '' }],
    [
      'something with labels',
      { labels: ['k8s:app=lb', 'k8s:io.kubernetes.pod.namespace=x'] },
      '10.1.1.1',
      { kind: 'endpoint', vmid: null, name: 'k8s:app=lb' },
    ],
    ['nothing known', null, '', { kind: 'unknown', vmid: null, name: '' }],
    [
      'labels that claim a number without being a container',
      { labels: ['k8s:vmid=101'] },
      '10.1.1.2',
      { kind: 'endpoint', vmid: null, name: 'k8s:vmid=101' },
    ],
    [
      'a number from another source than ours',
      { labels: ['container:vmid=101', 'container:type=container'] },
      '10.1.1.3',
      { kind: 'endpoint', vmid: null, name: 'container:vmid=101,container:type=container' },
    ],
  ];
  for (const [name, source, address, expected] of ends)
    it(`tells an end that is ${name}`, () =>
      assert.deepEqual(decoded({ source, IP: { source: address, destination: '10.201.1.87' } }).from, {
        ...expected,
        address,
        port: 41_000,
      }));

  it('knows a container of this node by its address when it has no labels of ours', () => {
    const owner = (address: string) => (address === '192.168.1.5' ? { vmid: 105, name: '105' } : null);
    const from = decoded({ source: { labels: ['reserved:world'] }, IP: { source: '192.168.1.5', destination: '10.201.1.87' } }, owner).from;
    assert.deepEqual([from.kind, from.vmid], ['container', 105]);
  });

  it('has the DNS name that led to an address of the world', () => {
    const { to } = decoded({ destination: { labels: ['reserved:world'] }, destinationNames: ['example.com.'] });
    assert.deepEqual([to.kind, to.name], ['world', 'example.com']);
  });

  const contents: [string, RawFlow, object][] = [
    ['a ping', { l4: { ICMPv4: { type: 8 } } }, { protocol: 'icmp', detail: 'echo request' }],
    ['an ICMP message without a name', { l4: { ICMPv4: { type: 42, code: 1 } } }, { protocol: 'icmp', detail: 'type 42 code 1' }],
    ['a neighbour solicitation', { l4: { ICMPv6: { type: 135 } } }, { protocol: 'icmpv6', detail: 'neighbour solicitation' }],
    ['UDP', { l4: { UDP: { sourcePort: 1, destinationPort: 53 } } }, { protocol: 'udp', detail: '' }],
    [
      'a DNS question',
      { l4: { UDP: { sourcePort: 1, destinationPort: 53 } }, l7: { dns: { query: 'a.test.', qtypes: ['A'] } } },
      { protocol: 'dns', detail: 'A a.test.' },
    ],
    [
      'a refused DNS question',
      { l7: { dns: { query: 'b.test.', qtypes: ['AAAA'], rcode: 5 } } },
      { protocol: 'dns', detail: 'AAAA b.test. rcode 5' },
    ],
    ['no layer 4', { l4: null }, { protocol: 'other', detail: '' }],
  ];
  for (const [name, changes, expected] of contents)
    it(`says what ${name} is`, () => {
      const { protocol, detail } = decoded(changes);
      assert.deepEqual({ protocol, detail }, expected);
    });

  for (const [subType, told, direction] of [
    [0, 2, 'ingress'],
    [3, 2, 'egress'],
    [4, 0, 'egress'],
    [1, 1, 'ingress'],
  ] as const)
    it(`of trace point ${subType} that Hubble calls ${told} is ${direction}`, () =>
      assert.equal(decoded({ eventType: { type: 4, subType }, traceReason: 1, trafficDirection: told }).direction, direction));

  it('is nothing new when the connection was told of before', () => {
    assert.equal(flowOf({ ...allowed, eventType: { type: 4 }, traceReason: 2 }, nobody), null);
    assert.ok(flowOf({ ...allowed, eventType: { type: 4 }, traceReason: 1 }, nobody));
  });

  it('is nothing without a verdict that is known, or a time', () => {
    for (const changes of [{ verdict: 0 }, { verdict: 6 }, { verdict: 99 }, { time: null }, { time: { seconds: Number.MAX_SAFE_INTEGER } }])
      assert.equal(flowOf({ ...allowed, ...changes }, nobody), null);
  });

  it('is bounded whatever the agent sends', () => {
    const long = 'x'.repeat(10_000);
    const flow = decoded({
      IP: { source: long, destination: long },
      source: { labels: Array.from({ length: 1000 }, (_, index) => `k8s:${index}${long}`) },
      destination: { labels: ['reserved:world'] },
      destinationNames: [long],
      l4: { TCP: { sourcePort: 4_000_000_000, destinationPort: 80 } },
      l7: { http: { method: long, url: long } },
      ingressAllowedBy: Array.from({ length: 1000 }, (_, index) => ({ name: `${index}${long}` })),
    });
    assert.ok(JSON.stringify(flow).length < 10_000);
    assert.equal(flow.policies.length, 16);
    assert.equal(flow.from.port, null);
  });

  it('never makes the decoding fail, whatever texts and numbers come', () => {
    const text = fc.option(fc.string({ unit: 'binary' }), { nil: undefined });
    const number = fc.integer();
    const endpoint = fc.record({ labels: fc.array(fc.string()), ID: number }, { requiredKeys: [] });
    const raw = fc.record(
      {
        time: fc.record({ seconds: number, nanos: number }),
        verdict: fc.integer({ min: 0, max: 8 }),
        IP: fc.record({ source: text, destination: text }),
        l4: fc.record({ TCP: fc.record({ sourcePort: number }) }, { requiredKeys: [] }),
        source: endpoint,
        destination: endpoint,
        dropReasonDesc: number,
        trafficDirection: number,
        eventType: fc.record({ type: number }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(raw, (given) => {
        // what `text` leaves out is what protobuf leaves out
        const flow = flowOf(given as RawFlow, nobody);
        assert.ok(flow === null || new Date(flow.time).toISOString());
      }),
    );
  });

  it('counts what was lost at least once, and says where', () => {
    assert.deepEqual(lossOf({ source: 3, numEventsLost: 17 }), { place: 'hubble', count: 17 });
    assert.deepEqual(lossOf({ source: 1 }), { place: 'kernel', count: 1 });
    assert.deepEqual(lossOf({ source: 9, numEventsLost: Number.MAX_VALUE }), { place: 'agent', count: 1 });
  });
});
