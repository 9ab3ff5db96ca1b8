import assert from 'node:assert/strict';
import type { FlowsView } from '../../src/model/flow-api.ts';
import { until } from '../support/until.ts';
import { reaches, useCilium } from './rig.ts';

describe('flows between nodes on Cilium', () => {
  const rig = useCilium({ nodes: 2 });

  it('name the container of the other node, on both', async function () {
    this.timeout(120_000);
    const here = await rig.container();
    const there = await rig.container({ node: 1 });
    await here.start();
    await there.start();
    const address = await rig.address(there, rig.daemons[1]);
    assert.equal(await reaches(here, address, 20), true);
    for (const [index, direction] of ['egress', 'ingress'].entries()) {
      const found = await until(`node ${index + 1} saw it`, async () => {
        const { body } = await (rig.daemons[index] as typeof rig.daemon).api('GET', `/v1/flows?protocol=icmp&container=${there.vmid}`);
        return (body as FlowsView).flows.find(({ from, to }) => from.vmid === here.vmid && to.vmid === there.vmid);
      });
      assert.equal(found.direction, direction);
      assert.deepEqual([found.from.name, found.to.name], [`ct${here.vmid}`, `ct${there.vmid}`]);
    }
  });
});
