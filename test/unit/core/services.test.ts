import assert from 'node:assert/strict';
import fc from 'fast-check';
import { checked, unchecked } from '../../../src/core/service-health.ts';
import { type Backend, backendsOf, type Candidate, difference, labelsByKey, type Reports, stateFile } from '../../../src/core/services.ts';
import type { Service } from '../../../src/model/service.ts';

const service: Service = {
  name: 'web',
  file: 'services/web.yaml',
  address: '10.96.0.10',
  nodePort: null,
  ports: [{ port: 80, target: 8080, protocol: 'tcp' }],
  matchLabels: { app: 'web' },
  affinity: 'none',
  health: { check: { kind: 'tcp' }, port: 8080, intervalMs: 5000, timeoutMs: 2000 },
};
const candidate = (vmid: number, node: string, more: Partial<Candidate> = {}): Candidate => ({
  ...{ vmid, node, name: `ct${vmid}`, address: `10.201.1.${vmid - 100}`, labels: { app: 'web' } },
  ...more,
});
const said = (address: string, up: boolean, reason = '') => ({ service: 'web', address, up, reason, since: 7 });
const reports = (nodes: Record<string, ReturnType<typeof said>[]>, unavailable: string | null = null): Reports => ({
  nodes: new Map(Object.entries(nodes).map(([node, backends]) => [node, { backends }])),
  unavailable,
});
const verdicts = (backends: readonly Backend[]) => backends.map(({ vmid, up, reason }) => `${vmid} ${up ? 'up' : 'down'} ${reason}`.trim());

describe('backends of a service', () => {
  it('are the containers that have all its labels and its family', () => {
    const all = [
      candidate(101, 'a'),
      candidate(102, 'a', { labels: { app: 'db' } }),
      candidate(103, 'a', { labels: {} }),
      candidate(104, 'a', { address: 'fd00::4' }),
      candidate(105, 'a', { labels: { app: 'web', tier: 'front' } }),
    ];
    const chosen = backendsOf({ ...service, health: null }, all, reports({ a: [] }));
    assert.deepEqual(verdicts(chosen), ['101 up', '105 up']);
  });

  it('are what their own node says of them', () => {
    const all = [candidate(101, 'a'), candidate(102, 'b'), candidate(103, 'b')];
    const told = reports({ a: [said('10.201.1.1', true)], b: [said('10.201.1.2', false, 'refused'), said('10.201.1.1', false)] });
    assert.deepEqual(verdicts(backendsOf(service, all, told)), ['101 up', '102 down refused', '103 down node b has not checked it yet']);
  });

  it('are down on a node that does not report, checked or not', () => {
    for (const one of [service, { ...service, health: null }])
      assert.match(verdicts(backendsOf(one, [candidate(101, 'b')], reports({ a: [] })))[0] ?? '', /^101 down node b does not report/);
  });

  it('of other nodes are up when nothing can be known of any node', () => {
    const told = reports({ a: [said('10.201.1.1', false, 'refused')] }, 'etcd is away');
    assert.deepEqual(verdicts(backendsOf(service, [candidate(101, 'a'), candidate(102, 'b')], told)), [
      '101 down refused',
      '102 up its health is not known: etcd is away',
    ]);
  });

  it('are known by labels of our source only', () => {
    assert.deepEqual(labelsByKey(['k8s:app=web', 'k8s:x=a=b', 'k8s:empty=', 'cni:app=evil', 'reserved:host']), {
      app: 'web',
      x: 'a=b',
      empty: '',
    });
  });
});

describe('the agent’s load-balancer state', () => {
  const backend = (address: string, up = true): Backend => ({ vmid: 101, name: 'ct', node: 'a', address, up, reason: '', since: 1 });

  it('is Services and EndpointSlices, in which a backend that is down takes no new connections', () => {
    const text = stateFile([
      { service: { ...service, affinity: 'client' }, backends: [backend('10.201.1.1'), backend('10.201.1.2', false)] },
    ]);
    const { services, endpoints } = JSON.parse(text);
    assert.deepEqual(services[0].metadata, { name: 'web', namespace: 'pve-cni' });
    assert.deepEqual(services[0].spec, {
      type: 'ClusterIP',
      clusterIP: '10.96.0.10',
      clusterIPs: ['10.96.0.10'],
      ports: [{ name: 'tcp-80', port: 80, protocol: 'TCP', targetPort: 8080 }],
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 10_800 } },
    });
    assert.deepEqual(endpoints[0].ports, [{ name: 'tcp-80', port: 8080, protocol: 'TCP' }]);
    assert.deepEqual(
      endpoints[0].endpoints.map(({ addresses, conditions }: { addresses: string[]; conditions: { ready: boolean } }) => [
        addresses[0],
        conditions.ready,
      ]),
      [
        ['10.201.1.1', true],
        ['10.201.1.2', false],
      ],
    );
  });

  it('without services is not the empty file, which the agent would take for the same', () => {
    assert.deepEqual(JSON.parse(stateFile([])), { services: [], endpoints: [] });
  });

  const held = (frontend: string, backends: Record<string, boolean>) => ({
    name: 'web',
    frontend,
    backends: new Map(Object.entries(backends)),
  });
  const cases: [string, ReturnType<typeof held>[], RegExp | null][] = [
    ['the same', [held('10.96.0.10:80/tcp', { '10.201.1.1:8080': true })], null],
    ['no address', [], /does not have 10\.96\.0\.10:80\/tcp/],
    ['no backend', [held('10.96.0.10:80/tcp', {})], /does not have 10\.201\.1\.1:8080/],
    ['another state', [held('10.96.0.10:80/tcp', { '10.201.1.1:8080': false })], /another state of 10\.201\.1\.1:8080/],
    ['one backend more', [held('10.96.0.10:80/tcp', { '10.201.1.1:8080': true, '10.201.1.9:8080': true })], /still has 10\.201\.1\.9:8080/],
    [
      'one port more',
      [held('10.96.0.10:80/tcp', { '10.201.1.1:8080': true }), held('10.96.0.10:81/tcp', {})],
      /still has 10\.96\.0\.10:81\/tcp/,
    ],
  ];
  for (const [what, frontends, difference_] of cases)
    it(`is compared with what the agent holds: ${what}`, () => {
      const differs = difference(service, [backend('10.201.1.1')], frontends);
      if (difference_) assert.match(differs ?? '', difference_);
      else assert.equal(differs, null);
    });
});

describe('health of a backend', () => {
  const run = (results: readonly boolean[]) => {
    let health = unchecked(0);
    let now = 0;
    return results.map((well) => {
      now = health.nextAt;
      health = checked(health, well ? null : 'refused', now, 5000);
      return { ...health, now };
    });
  };

  it('is down until a first check went well', () => {
    assert.equal(unchecked(0).up, false);
    assert.deepEqual(
      run([false, false, true]).map(({ up }) => up),
      [false, false, true],
    );
  });

  it('is down after two failures in a row, not after one, and up after one success', () => {
    assert.deepEqual(
      run([true, false, true, false, false, false, true]).map(({ up }) => up),
      [true, true, true, true, false, false, true],
    );
  });

  it('is found within two intervals of the last success', () => {
    const [good, , down] = run([true, false, false]);
    assert.ok((down?.now ?? Number.POSITIVE_INFINITY) - (good?.now ?? 0) <= 10_000);
  });

  it('says since when it is so, and why not', () =>
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 50 }), (results) => {
        let since = 0;
        let up = false;
        for (const one of run(results)) {
          if (one.up !== up) since = one.now;
          up = one.up;
          assert.equal(one.since, since);
          if (!one.up) assert.equal(one.reason, 'refused');
          assert.ok(one.nextAt > one.now);
        }
      }),
    ));
});
