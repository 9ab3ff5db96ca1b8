import assert from 'node:assert/strict';
import { addressesInside, ping, useRig, web } from './rig.ts';

const firstThing = 'ip addr show dev eth0; ip route';

describe('a container on a bridge network', () => {
  const rig = useRig({ files: web });

  for (const [what, unprivileged] of [
    ['privileged', false],
    ['unprivileged', true],
  ] as const) {
    it(`${what}: has its address and default route before the first command of init`, async () => {
      const container = await rig.container({ unprivileged, init: firstThing });
      await container.start();
      const boot = await container.readInside('/boot.log');
      assert.match(boot, /[<,]UP,LOWER_UP/);
      assert.match(boot, /inet 10\.20\.0\.\d+\/24/);
      assert.match(boot, /default via 10\.20\.0\.1 dev eth0/);
      await ping(container, '10.20.0.1');
      const { interfaces, netnsPath } = await rig.show(container);
      assert.deepEqual(
        interfaces.map(({ name, network, state, defaultRoute }) => ({ name, network, state, defaultRoute })),
        [{ name: 'eth0', network: 'web', state: 'attached', defaultRoute: true }],
      );
      assert.equal(netnsPath, `${rig.daemon.netnsDir}/ct${container.vmid}`);
      await container.stop();
      await rig.assertNothingLeft(container);
    });
  }

  it('reaches another container of its network, privileged or not', async () => {
    const one = await rig.container();
    const other = await rig.container({ unprivileged: true });
    await Promise.all([one.start(), other.start()]);
    const [there = ''] = await addressesInside(other);
    const [here = ''] = await addressesInside(one);
    assert.notEqual(here, there);
    await ping(one, there);
    await ping(other, here);
  });

  it('keeps address and MAC over stop and start, in a new life', async () => {
    const container = await rig.container();
    await container.start();
    const before = await rig.show(container);
    await container.stop('clean');
    await rig.assertNothingLeft(container);
    await container.start();
    const after = await rig.show(container);
    assert.deepEqual(after.interfaces[0]?.addresses, before.interfaces[0]?.addresses);
    assert.equal(after.interfaces[0]?.mac, before.interfaces[0]?.mac);
    assert.notEqual(after.containerId, before.containerId);
    assert.deepEqual(await addressesInside(container), before.interfaces[0]?.addresses);
  });

  it('LXC with hook.version 1: starts and stops the same', async () => {
    const container = await rig.container({ hookVersion: 1, init: firstThing });
    await container.start();
    assert.match(await container.readInside('/boot.log'), /inet 10\.20\.0\./);
    await container.stop();
    await rig.assertNothingLeft(container);
  });
});
