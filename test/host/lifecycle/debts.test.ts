import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { execa } from 'execa';
import { lxcHookPath } from '../../support/drop-in.ts';
import { until } from '../../support/until.ts';
import { addressesInside, useRig, web } from './rig.ts';

const dataDir = '/run/pve-cni-test-debts';
const ipam = { type: 'host-local', dataDir, ranges: [[{ subnet: '10.74.0.0/24' }]] };
const chain = {
  cniVersion: '1.0.0',
  name: 'owing',
  plugins: [{ type: 'bridge', bridge: 'cnitest4', ipam }, { type: 'watch' }],
};
const problem = '{"cniVersion":"1.0.0","code":11,"msg":"the switch is away"}';

describe('a clean-up that fails', () => {
  const rig = useRig({
    files: { ...web, 'networks/owing.conflist': JSON.stringify(chain) },
    scripted: ['watch'],
    settings: { timeouts: { pluginSeconds: 5, operationSeconds: 10, stopSeconds: 1 } },
    ignore: /cnitest4/,
    cleanUp: async () => {
      await execa('ip', ['link', 'delete', 'cnitest4'], { reject: false });
      rmSync(dataDir, { recursive: true, force: true });
    },
  });
  const owing = { interfaces: [{ name: 'eth0', network: 'owing' }] };
  const debts = async () => (await rig.daemon.api('GET', '/v1/status')).body.debts;
  const dels = () => rig.plugins.calls().filter(({ verb }) => verb === 'DEL');

  it('D49 DEL fails: the stop is not held up, the debt is shown, and paid by itself when the plugin is well again', async () => {
    const container = await rig.container(owing);
    await container.start();
    rig.plugins.script('watch', 'DEL', ['exit 1'], problem);
    await container.stop();
    await until('the debt is recorded', async () => (await debts()).length === 1);
    const [debt] = await debts();
    assert.equal(debt.vmid, container.vmid);
    assert.match(debt.reason.message, /the switch is away/);
    const { stdout } = await rig.daemon.cli('status');
    assert.match(stdout.replace(/\s+/g, ' '), /the switch is away/);
    rig.plugins.unscript('watch', 'DEL');
    await until('the debt is paid', async () => (await debts()).length === 0, 20);
    assert.match(dels().at(-1)?.env.CNI_NETNS ?? '', /\/netns\//, 'DEL saw the old namespace to the end');
    await rig.assertNothingLeft(container);
  });

  it('D49 DEL hangs: the stop ends in bounded time', async () => {
    const container = await rig.container(owing);
    await container.start();
    rig.plugins.script('watch', 'DEL', ['sleep 60']);
    await assertBounded(container.stop());
    await until('the debt is recorded', async () => (await debts()).length === 1);
    rig.plugins.unscript('watch', 'DEL');
    assert.equal((await rig.daemon.cli('gc')).exitCode, 0, 'gc pays at once');
    assert.deepEqual(await debts(), []);
    await rig.assertNothingLeft(container);
  });

  it('D49 DEL hangs, and the service sees the end before the hook of the stop tells it: bounded all the same', async () => {
    const lxcHook = `${rig.daemon.dir}/late-hook`;
    writeFileSync(lxcHook, `#!/bin/sh\ncase "$*" in *" stop"*) sleep 1 ;; esac\nexec ${lxcHookPath} "$@"\n`, { mode: 0o755 });
    const container = await rig.container({ ...owing, hooks: { ...rig.daemon.hooks, lxcHook } });
    await container.start();
    rig.plugins.script('watch', 'DEL', ['sleep 60']);
    await assertBounded(container.stop());
    const kinds = (await rig.operations(container)).map(({ kind, door }) => `${kind} by ${door}`);
    assert.ok(kinds.includes('reconcile by service'), `the service was first: ${kinds}`);
    await until('the debt is recorded', async () => (await debts()).length === 1);
    rig.plugins.unscript('watch', 'DEL');
    assert.equal((await rig.daemon.cli('gc')).exitCode, 0);
    await rig.assertNothingLeft(container);
  });

  it('a container with a debt starts again at once, and the debt does not touch its new life', async () => {
    const container = await rig.container(owing);
    await container.start();
    rig.plugins.script('watch', 'DEL', ['exit 1'], problem);
    await container.stop();
    await until('the debt is recorded', async () => (await debts()).length === 1);
    await container.start();
    const address = await addressesInside(container);
    rig.plugins.unscript('watch', 'DEL');
    await rig.daemon.cli('gc');
    assert.deepEqual(await debts(), []);
    assert.deepEqual(await addressesInside(container), address);
    assert.equal((await rig.show(container)).interfaces[0]?.state, 'attached');
  });

  it('D48 the stop hook twice, thrice: one DEL', async () => {
    const container = await rig.container(owing);
    await container.start();
    await container.stop();
    for (const phase of ['stop', 'post-stop', 'stop'])
      assert.equal((await rig.daemon.api('POST', `/v1/hooks/${phase}`, { vmid: container.vmid })).status, 200);
    assert.equal(dels().length, 1);
  });

  it('D48 with the namespace gone: DEL without a namespace, nothing is left', async () => {
    const container = await rig.container(owing);
    await container.start();
    await rig.daemon.kill9();
    await container.stop();
    await execa('umount', ['--lazy', `${rig.daemon.netnsDir}/ct${container.vmid}`]);
    await rig.daemon.start();
    await until('it is detached', async () => (await rig.show(container)).interfaces[0]?.state === 'stopped');
    assert.equal(dels().at(-1)?.env.CNI_NETNS ?? '', '');
    await rig.assertNothingLeft(container);
  });

  it('D48 with configuration and plugin gone: a debt that names the plugin, paid when it is back', async () => {
    const container = await rig.container(owing);
    await container.start();
    rig.daemon.remove('networks/owing.conflist');
    rmSync(`${rig.plugins.binDir}/watch`);
    await rig.daemon.reconciled();
    await container.stop();
    await until('the debt is recorded', async () => (await debts()).length === 1);
    assert.match((await debts())[0].reason.message, /watch/);
    rig.plugins.install('watch');
    await rig.daemon.cli('gc');
    assert.deepEqual(await debts(), []);
    rig.daemon.write('networks/owing.conflist', JSON.stringify(chain));
  });
});

/** D49: a stop takes at most 5 s, whatever its plugins do. */
async function assertBounded(stop: Promise<void>): Promise<void> {
  const begin = performance.now();
  await stop;
  const seconds = (performance.now() - begin) / 1000;
  assert.ok(seconds < 5, `the stop took ${seconds.toFixed(1)} s`);
}
