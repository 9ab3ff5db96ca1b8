import assert from 'node:assert/strict';
import { until } from '../support/until.ts';
import { reaches, useCilium } from './rig.ts';

describe('policies on two nodes', () => {
  const rig = useCilium({ nodes: 2, ownRoots: true });

  it('judge containers of the other node by their labels, and follow a label that changes there', async function () {
    this.timeout(180_000);
    const target = await rig.container({ file: { labels: { app: 'db' } } });
    const friend = await rig.container({ node: 1, file: { labels: { app: 'web' } } });
    const stranger = await rig.container({ node: 1, file: { labels: { app: 'none' } } });
    for (const one of [target, friend, stranger]) await one.start();
    const address = await rig.address(target);
    assert.deepEqual([await reaches(friend, address, 10), await reaches(stranger, address, 10)], [true, true]);
    const policy = {
      apiVersion: 'cilium.io/v2',
      kind: 'CiliumNetworkPolicy',
      metadata: { name: 'db' },
      spec: { endpointSelector: { matchLabels: { app: 'db' } }, ingress: [{ fromEndpoints: [{ matchLabels: { app: 'web' } }] }] },
    };
    const { body } = await rig.daemon.api('POST', '/v1/policies', { text: JSON.stringify(policy) });
    assert.equal(body.inForce, true, body.message);
    assert.deepEqual([await reaches(friend, address, 10), await reaches(stranger, address, 2)], [true, false]);

    const { body: kernel } = await rig.daemon.api('GET', `/v1/containers/${target.vmid}/policy`);
    assert.deepEqual(kernel.interfaces[0].differences, []);
    assert.ok(kernel.interfaces[0].entries.some(({ peer }: { peer: string }) => peer === `container ${friend.vmid}`));

    rig.configure(stranger, { interfaces: [{ name: 'eth0', network: 'pods' }], labels: { app: 'web' } });
    await until('the stranger is one of those let in', () => reaches(stranger, address, 1), 30);
    await rig.daemon.api('DELETE', '/v1/policies/db');
  });
});
