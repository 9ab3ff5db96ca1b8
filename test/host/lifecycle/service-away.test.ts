import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { until } from '../../support/until.ts';
import { addressesInside, ping, useRig, web } from './rig.ts';

describe('a service that is not there, or does not answer', () => {
  const rig = useRig({ files: web, hookEnv: { PVE_CNI_CONNECT_SECONDS: '1', PVE_CNI_HOOK_SECONDS: '2' } });
  /** hooks of ours that still run: their curl and their shell name our folders */
  const hooksRunning = () =>
    readdirSync('/proc').filter((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return /^\d+$/.test(pid) && /lxc-hook|curl/.test(words) && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(rig.daemon.runDir);
      } catch {
        return false;
      }
    });

  it('D72 absent: the start is refused and says what to do; a foreign container starts', async () => {
    const container = await rig.container();
    const foreigner = await rig.container({ interfaces: null });
    await rig.daemon.stop();
    const warnings = await rig.refused(container);
    assert.match(warnings, /service is not there .*systemctl status pve-cni/);
    await foreigner.start();
    await foreigner.stop();
    await rig.daemon.start();
    await container.start();
    await ping(container, '10.20.0.1');
  });

  it('absent, onFailure: start: the container starts with a warning, and gets its network when the service is back', async () => {
    const container = await rig.container({ onFailure: 'start' });
    await rig.daemon.stop();
    await container.start();
    assert.match(rig.warnings(container), /starts without its network/);
    await rig.daemon.start();
    await rig.untilState(container, 'attached');
    assert.equal((await addressesInside(container)).length, 1);
  });

  it('absent at the stop: the stop goes on, the clean-up follows', async () => {
    const container = await rig.container();
    await container.start();
    await rig.daemon.kill9();
    await container.stop();
    assert.ok(existsSync(`${rig.daemon.netnsDir}/ct${container.vmid}`), 'nobody was there to unpin it');
    await rig.daemon.start();
    await until('it is detached', async () => (await rig.show(container)).interfaces[0]?.state === 'stopped');
    await rig.assertNothingLeft(container);
  });

  it('D73 it accepts and never answers: the hook ends at its deadline, no hook is left, and what was begun is undone', async () => {
    const container = await rig.container();
    process.kill(rig.daemon.pid(), 'SIGSTOP');
    try {
      const begin = performance.now();
      assert.match(await rig.refused(container), /did not answer within 2 s/);
      assert.ok(performance.now() - begin < 6000);
      // LXC runs the stop hook of the refused start after it has said so
      await until('no hook is left', () => hooksRunning().length === 0, 4);
    } finally {
      process.kill(rig.daemon.pid(), 'SIGCONT');
    }
    await until('it is well', async () => (await rig.show(container)).interfaces?.[0]?.state === 'stopped');
    await rig.assertNothingLeft(container);
    await container.start();
  });

  it('D73 it stops answering before the stop: the stop ends at the deadline of its hook', async () => {
    const container = await rig.container();
    await container.start();
    process.kill(rig.daemon.pid(), 'SIGSTOP');
    try {
      const begin = performance.now();
      await container.stop();
      assert.ok(performance.now() - begin < 6000);
      assert.deepEqual(hooksRunning(), []);
    } finally {
      process.kill(rig.daemon.pid(), 'SIGCONT');
    }
    await until('it is detached', async () => (await rig.show(container)).interfaces[0]?.state === 'stopped');
  });
});
