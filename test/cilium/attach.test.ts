import assert from 'node:assert/strict';
import { reaches, useCilium } from './rig.ts';

describe('containers on Cilium', () => {
  const rig = useCilium();

  it('are endpoints with their identity, and reach each other', async () => {
    const one = await rig.container();
    const other = await rig.container({ interfaces: [{ name: 'eth0', network: 'sticky' }] });
    await one.start();
    await other.start();
    const endpoints = (await rig.node.agent.endpoints()).filter(({ attachmentId }) => attachmentId);
    assert.equal(endpoints.length, 2);
    for (const { labels } of endpoints) {
      assert.ok(labels.includes('k8s:type=container'));
      assert.ok(!labels.some((label) => label.startsWith('reserved:')));
    }
    assert.match(await rig.address(other), /^10\.240\.0\./);
    assert.equal(await reaches(one, await rig.address(other)), true);
    assert.equal(await reaches(other, await rig.address(one)), true);
  });
});
