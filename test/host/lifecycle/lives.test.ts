import assert from 'node:assert/strict';
import { execa } from 'execa';
import { until } from '../../support/until.ts';
import { addressesInside, ping, useRig, web } from './rig.ts';

/** Ends and new beginnings of a container's init, in all the ways that a node sees. */
describe('the lives of a container', () => {
  const rig = useRig({ files: web });

  it('A54 reboot typed inside: a new namespace and container id, the same address', async () => {
    const container = await rig.container({ init: 'ip addr show dev eth0' });
    await container.start();
    const before = await rig.show(container);
    await container.rebootFromInside();
    const after = await rig.show(container);
    assert.notEqual(after.containerId, before.containerId);
    assert.notEqual(after.initPid, before.initPid);
    assert.deepEqual(after.interfaces[0]?.addresses, before.interfaces[0]?.addresses);
    assert.match(await container.readInside('/boot.log'), new RegExp(`inet ${before.interfaces[0]?.addresses[0]}/24`));
    await ping(container, '10.20.0.1');
    // by the stop hook or, where it was quicker, the liveness poll
    const detached = (await rig.operations(container)).filter(({ spans }) => spans.some(({ name }) => name === 'step:detach'));
    assert.equal(detached.length, 1, 'the old life was detached once');
  });

  it('A54 poweroff typed inside: detached', async () => {
    const container = await rig.container();
    await container.start();
    await container.poweroffFromInside();
    await rig.assertNothingLeft(container);
  });

  it('A54 init killed: detached, and starts again with its address', async () => {
    const container = await rig.container();
    await container.start();
    const before = await addressesInside(container);
    await container.killInit();
    await rig.assertNothingLeft(container);
    await container.start();
    assert.deepEqual(await addressesInside(container), before);
  });

  it('A54 monitor killed: init keeps its network while it lives, and is reaped when it is dead', async () => {
    const container = await rig.container();
    await container.start();
    const [address = ''] = await addressesInside(container);
    const pid = await container.initPid();
    await container.killMonitor();
    await rig.daemon.reconciled();
    // LXC 5 lets init live on, LXC 6 may not
    if (await container.isRunning()) {
      assert.equal((await rig.show(container)).interfaces[0]?.state, 'attached');
      await execa('ping', ['-c', '1', '-w', '5', address]);
      process.kill(pid, 'SIGKILL');
    }
    await until('the dead container is reaped', async () => (await rig.show(container)).interfaces[0]?.state === 'stopped', 5);
    await rig.assertNothingLeft(container);
  });
});
