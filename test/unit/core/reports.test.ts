import assert from 'node:assert/strict';
import { addressUse } from '../../../src/core/address-use.ts';
import { durations } from '../../../src/core/durations.ts';
import { type InterfaceFacts, stateOfInterface } from '../../../src/core/interface-state.ts';
import { drawTopology, type TopologyFacts } from '../../../src/core/topology.ts';

describe('the state of an interface', () => {
  const attached: InterfaceFacts = {
    configured: true,
    running: true,
    attachment: { phase: 'attached', error: null, lostLink: null },
    failure: null,
  };
  const detached: InterfaceFacts = { ...attached, attachment: null };
  const at = (change: Partial<NonNullable<InterfaceFacts['attachment']>>): InterfaceFacts => ({
    ...attached,
    attachment: { phase: 'attached', error: null, lostLink: null, ...change },
  });
  const cases: [string, InterfaceFacts, string, RegExp | null][] = [
    ['attached and well', attached, 'attached', null],
    ['its container does not run', { ...detached, running: false }, 'configured', null],
    ['its container runs, and nobody has come to it yet', detached, 'adding', null],
    ['its last try failed', { ...detached, failure: 'the pool is empty' }, 'failed', /pool/],
    ['the start of its container was refused', { ...detached, running: false, failure: 'no agent' }, 'failed', /agent/],
    ['attached to a container that has ended', { ...attached, running: false }, 'removing', /ended/],
    ['attached and not configured any more', { ...attached, configured: false }, 'removing', /not configured/],
    ['its end on the node is gone', at({ lostLink: 'veth1' }), 'degraded', /veth1, is gone/],
    ['degraded, with the journal’s reason', at({ phase: 'degraded', error: 'lost 10.20.0.10' }), 'degraded', /lost/],
    ['behind its gate', at({ phase: 'waiting' }), 'waiting', /no packet passes/],
    ['being removed', at({ phase: 'removing' }), 'removing', null],
  ];
  for (const [name, facts, state, message] of cases)
    it(`${name}: ${state}`, () => {
      const verdict = stateOfInterface(facts);
      assert.equal(verdict.state, state);
      if (message) assert.match(verdict.message ?? '', message);
      else assert.equal(verdict.message, null);
    });
});

describe('the picture of a node', () => {
  const up = (...ports: string[]) => ({ up: true, isBridge: ports.length > 0, ports });
  const web = {
    name: 'web',
    type: 'bridge',
    state: 'ready',
    detail: 'bridge',
    on: { kind: 'bridge', name: 'cnibr-web' },
    leaves: 'NAT',
    agent: false,
  } as const;
  const one = {
    vmid: 101,
    container: 'web1',
    running: true,
    ifname: 'eth0',
    network: 'web',
    state: 'attached',
    hostIfname: 'veth1234',
  } as const;
  const facts: TopologyFacts = {
    interfaces: [one],
    networks: [web],
    links: new Map([
      ['cnibr-web', up('veth1234', 'custom0')],
      ['custom0', up()],
      ['vmbr0', up('enp1s0', 'veth105i0', 'tap200i0', 'fwpr300p0')],
      ['enp1s0', { up: false, isBridge: false, ports: [] }],
    ]),
    defaultLinks: ['vmbr0'],
    agent: null,
  };
  const edgesOf = (drawn: ReturnType<typeof drawTopology>) =>
    drawn.edges.map(({ from, to, label }) => `${from} > ${to}${label ? ` ${label}` : ''}`).sort();

  it('leads from containers over networks and bridges out of the node, past the ends of guests', () => {
    const drawn = drawTopology(facts);
    assert.deepEqual(edgesOf(drawn), [
      'bridge:cnibr-web > bridge:vmbr0 NAT',
      'bridge:cnibr-web > uplink:custom0',
      'bridge:vmbr0 > uplink:enp1s0',
      'container:101 > network:web eth0',
      'network:web > bridge:cnibr-web',
    ]);
    assert.equal(drawn.nodes.find(({ id }) => id === 'uplink:enp1s0')?.state, 'critical', 'it is down');
  });

  it('a network on the bridge that leads out does not lead to itself', () => {
    const lan = { ...web, name: 'lan', on: { kind: 'bridge', name: 'vmbr0' }, leaves: 'routed' } as const;
    assert.deepEqual(edgesOf(drawTopology({ ...facts, interfaces: [], networks: [lan] })), [
      'bridge:vmbr0 > uplink:enp1s0',
      'network:lan > bridge:vmbr0',
    ]);
  });

  it('Cilium’s networks are on its agent, whose health they share', () => {
    const pods = { ...web, name: 'pods', type: 'cilium', on: null, leaves: null, agent: true } as const;
    const drawn = drawTopology({ ...facts, interfaces: [], networks: [pods], agent: { healthy: false, detail: 'no answer' } });
    assert.deepEqual(edgesOf(drawn).slice(0, 1), ['agent:cilium > bridge:vmbr0']);
    assert.deepEqual(
      drawn.nodes.find(({ kind }) => kind === 'agent'),
      { id: 'agent:cilium', kind: 'agent', name: 'cilium', state: 'critical', detail: 'no answer' },
    );
  });

  it('a container is as its worst interface is, and a network that is gone is shown as long as somebody is on it', () => {
    const gone = { ...one, ifname: 'eth1', network: 'gone', state: 'failed', hostIfname: null } as const;
    const drawn = drawTopology({ ...facts, interfaces: [one, gone] });
    const stateOf = (id: string) => drawn.nodes.find((node) => node.id === id)?.state;
    assert.deepEqual([stateOf('container:101'), stateOf('network:gone'), stateOf('network:web')], ['critical', 'critical', 'good']);
    const stopped = drawTopology({ ...facts, interfaces: [{ ...one, running: false, state: 'configured' }] });
    assert.equal(stopped.nodes.find(({ vmid }) => vmid === 101)?.state, 'off');
  });

  it('every edge ends at nodes that are there, and no node is there twice', () => {
    const many = Array.from({ length: 300 }, (_, index) => ({ ...one, vmid: 100 + index, network: `n${index % 7}` }));
    const { nodes, edges } = drawTopology({ ...facts, interfaces: many });
    const ids = new Set(nodes.map(({ id }) => id));
    assert.equal(ids.size, nodes.length);
    assert.ok(edges.every(({ from, to }) => ids.has(from) && ids.has(to)));
  });
});

describe('durations', () => {
  const operation = (begin: number, ms: number, failed = false, kind: 'attach' | 'detach' = 'attach') => ({
    kind,
    begin,
    end: begin + ms,
    failed,
  });

  it('are counted by kind and time; what failed counts and says nothing of the time', () => {
    const t = 1_795_500_000_000;
    assert.deepEqual(
      durations(
        [operation(t + 61_000, 5), operation(t, 10), operation(t + 1, 30), operation(t + 2, 9000, true), operation(t, 7, false, 'detach')],
        60,
      ),
      [
        { time: t / 1000, kind: 'attach', count: 3, failed: 1, p50Ms: 10, p99Ms: 30 },
        { time: t / 1000, kind: 'detach', count: 1, failed: 0, p50Ms: 7, p99Ms: 7 },
        { time: t / 1000 + 60, kind: 'attach', count: 1, failed: 0, p50Ms: 5, p99Ms: 5 },
      ],
    );
  });

  it('percentiles are those of the nearest rank', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => operation(0, 100 - index));
    const [bucket] = durations(hundred, 60);
    assert.deepEqual([bucket?.p50Ms, bucket?.p99Ms], [50, 99]);
  });
});

describe('the use of addresses', () => {
  it('is told by subnet and family, with what is kept back apart', () => {
    const subnets = [{ cidr: '10.20.0.0/24', gateway: '10.20.0.1', range: '10.20.0.1-10.20.0.10' }, { cidr: 'fd00:20::/64' }];
    const held = [
      { address: '10.20.0.2', state: 'reserved' },
      { address: '10.20.0.3', state: 'kept' },
      { address: 'fd00:20::5', state: 'reserved' },
    ] as const;
    const [ipv4, ipv6] = addressUse({ network: 'web', subnets }, held);
    assert.deepEqual(ipv4, { network: 'web', family: 'ipv4', range: '10.20.0.1-10.20.0.10', size: 9, used: 1, kept: 1, free: 7 });
    assert.deepEqual([ipv6?.family, ipv6?.used, ipv6?.size], ['ipv6', 1, 2 ** 64]);
  });
});
