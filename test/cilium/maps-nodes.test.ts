import assert from 'node:assert/strict';
import type { IdentityView, MapContent } from '../../src/model/cilium-maps-api.ts';
import { until } from '../support/until.ts';
import { reaches, useCilium } from './rig.ts';

describe('Cilium’s maps and identities of two nodes', function () {
  this.timeout(120_000);
  const rig = useCilium({ nodes: 2, settings: { unusedIdentityMinutes: 4 / 60 }, service: { reconcileSeconds: 1 } });
  const read = async <K extends MapContent['kind']>(kind: K, query = ''): Promise<Extract<MapContent, { kind: K }>> => {
    const { status, body } = await rig.daemon.api('GET', `/v1/cilium/maps/${kind}${query}`);
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  };
  const identities = async (): Promise<IdentityView[]> => (await rig.daemon.api('GET', '/v1/cilium/identities')).body;

  it('name the containers of the other node, and the node that they are behind', async () => {
    const here = await rig.container();
    const there = await rig.container({ node: 1 });
    await here.start();
    await there.start();
    const address = await rig.address(there, rig.daemons[1]);
    assert.equal(await reaches(here, address), true);
    const name = `ct${there.vmid}`;
    const { entries } = await read('ipcache', `?vmid=${there.vmid}`);
    assert.deepEqual(
      entries.map(({ prefix, who, node }) => [prefix, who.vmid, who.name, node]),
      [[`${address}/32`, there.vmid, name, '10.99.0.12']],
    );
    const connections = await read('ct', `?vmid=${there.vmid}`);
    const out = connections.entries.find(({ direction, to, related }) => direction === 'out' && to.address === address && !related);
    assert.deepEqual([out?.from.vmid, out?.to.vmid, out?.to.name], [here.vmid, there.vmid, name]);
    const nodes = (await read('encryption')).entries.map(({ address: of, node }) => `${node} ${of}`);
    for (const node of ['node1 10.99.0.11', 'node2 10.99.0.12']) assert.ok(nodes.includes(node), nodes.join());
    assert.ok(!(await read('endpoints')).entries.some(({ who }) => who.vmid === there.vmid), 'endpoints are this node’s');
  });

  it('both collect: a number goes once, whoever comes first, and what runs keeps its own', async () => {
    const [ended, runs] = [await rig.container({ node: 1 }), await rig.container({ node: 1 })];
    await ended.start();
    await runs.start();
    const of = async (vmid: number) => (await identities()).find((one) => one.vmid === vmid);
    const before = await of(runs.vmid);
    assert.deepEqual([(await of(ended.vmid))?.nodes, before?.nodes], [['node2'], ['node2']]);
    await ended.stop();
    await until('it is gone', async () => !(await of(ended.vmid)), 60);
    const removals = () =>
      rig.daemons.flatMap(({ log }) =>
        log()
          .split('\n')
          .filter((line) => line.includes('removed an identity') && line.includes(`"k8s:vmid=${ended.vmid}"`)),
      );
    // the one that removed it says so afterwards
    await until('it is said who removed it', () => removals().length > 0);
    assert.equal(removals().length, 1, removals().join('\n'));
    assert.deepEqual(await of(runs.vmid), before);
  });
});
