import assert from 'node:assert/strict';
import { createClusterIdentities } from '../../../src/cilium/cluster-identities.ts';
import { createEtcd, type Etcd } from '../../../src/cilium/etcd.ts';
import { type EtcdServer, needsEtcd, startEtcd } from '../../support/etcd.ts';

const prefix = 'cilium/state/identities/v1';
const labels = 'k8s:app.kubernetes.io/name=web;k8s:type=container;k8s:vmid=101;';
const idKey = (id: number) => `${prefix}/id/${id}`;
const userKey = (node: string) => `${prefix}/value/${labels}/${node}`;

describe('the collection of identities', function () {
  this.timeout(30_000);
  let server: EtcdServer;
  let etcd: Etcd;
  let now = 0;
  const graceMs = 1000;
  const nobody = new Set<number>();
  const collector = (over: Partial<Etcd> = {}) => createClusterIdentities({ etcd: { ...etcd, ...over }, graceMs, clock: () => now });
  const left = async () => (await etcd.list(`${prefix}/id/`)).keys.map(({ key }) => Number(key.slice(idKey(0).length - 1)));
  const gone = (list: { id: number }[]) => list.map(({ id }) => id);
  before(async function () {
    needsEtcd(this);
    server = await startEtcd();
    etcd = createEtcd({ endpoints: [server.endpoint] });
  });
  after(() => server?.destroy());
  beforeEach(async () => {
    for (const key of [idKey(300), idKey(301), idKey(5), userKey('10.99.0.11'), userKey('10.99.0.12')]) await server.remove(key);
  });

  it('removes what was unused at looks that are far enough apart, and counts', async () => {
    for (const id of [300, 5]) await server.put(idKey(id), labels);
    const identities = collector();
    assert.deepEqual(gone(await identities.collect(nobody)), []);
    assert.deepEqual(await left(), [300, 5]);
    now += graceMs;
    assert.deepEqual(gone(await identities.collect(nobody)), [300]);
    assert.deepEqual(await left(), [5]);
    assert.deepEqual([identities.removed, identities.counts], [1, { used: 0, unused: 1 }]);
  });

  it('leaves one that a node takes between the look and the removal', async () => {
    await server.put(idKey(300), labels);
    const identities = collector({
      deleteIf: async (...request) => {
        await server.put(userKey('10.99.0.11'), '300');
        return etcd.deleteIf(...request);
      },
    });
    await identities.collect(nobody);
    now += graceMs;
    assert.deepEqual(await identities.collect(nobody), []);
    assert.deepEqual(await left(), [300]);
    assert.deepEqual(
      (await identities.list()).map(({ unusedSince, nodes }) => [unusedSince, nodes]),
      [[null, ['10.99.0.11']]],
    );
  });

  it('leaves one that was made anew between the look and the removal', async () => {
    await server.put(idKey(300), labels);
    const identities = collector({
      deleteIf: async (...request) => {
        await server.put(idKey(300), labels);
        return etcd.deleteIf(...request);
      },
    });
    await identities.collect(nobody);
    now += graceMs;
    assert.deepEqual(await identities.collect(nobody), []);
    assert.deepEqual(await left(), [300]);
  });

  it('removes a number that no node uses although its labels are in use under another, and only that', async () => {
    for (const id of [300, 301]) await server.put(idKey(id), labels);
    await server.put(userKey('10.99.0.12'), '301');
    const identities = collector();
    await identities.collect(nobody);
    now += graceMs;
    assert.deepEqual(gone(await identities.collect(nobody)), [300]);
    assert.deepEqual(await left(), [301]);
  });

  it('by two nodes at once removes each once', async () => {
    await server.put(idKey(300), labels);
    const nodes = [collector(), collector()];
    await Promise.all(nodes.map((one) => one.collect(nobody)));
    now += graceMs;
    const removed = await Promise.all(nodes.map((one) => one.collect(nobody)));
    assert.deepEqual(removed.flatMap(gone), [300]);
  });

  it('knows nothing of the time before the service began', async () => {
    await server.put(idKey(300), labels);
    await collector().collect(nobody);
    now += graceMs;
    assert.deepEqual(await collector().collect(nobody), []);
  });
});
