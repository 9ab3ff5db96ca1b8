import assert from 'node:assert/strict';
import { execa } from 'execa';
import { until } from '../../support/until.ts';
import { addressesInside, ping, useRig, web } from './rig.ts';

const pluginFails = '{"cniVersion":"1.0.0","code":11,"msg":"no more tags","details":"switch 7"}';

/** Proxmox's phases, run as Proxmox runs them. Without the drop-in nothing else calls the service. */
function useHookscript(settings: Record<string, unknown> = {}) {
  const bridge = { type: 'bridge', bridge: 'cnitest1', ipam: { type: 'static', addresses: [{ address: '10.71.0.5/24' }] } };
  const chain = JSON.stringify({ cniVersion: '1.0.0', name: 'chain', plugins: [bridge, { type: 'watch' }] });
  const rig = useRig({
    settings,
    files: { ...web, 'networks/chain.conflist': chain },
    scripted: ['watch'],
    ignore: /cnitest1/,
    cleanUp: async () => {
      await execa('ip', ['link', 'delete', 'cnitest1'], { reject: false });
    },
  });
  const onChain = [{ name: 'eth0', network: 'chain' }];
  const container = async (doors: 'alone' | 'both', interfaces?: object[]) => {
    const { hooks } = rig.daemon;
    const options = interfaces && { interfaces };
    if (doors === 'both') return rig.container({ ...options, hooks });
    return rig.container({ ...options, hooks: { ...hooks, stateDir: '/nowhere' } });
  };
  const good = async (one: Awaited<ReturnType<typeof container>>, phase: string) => {
    const { exitCode, stdout, stderr } = await rig.hookscript(one, phase);
    assert.equal(exitCode, 0, stderr);
    return stdout;
  };
  return { rig, onChain, container, good };
}

describe('the hookscript', () => {
  const { rig, onChain, container, good } = useHookscript();

  it('alone: ADD in post-start, DEL in post-stop', async () => {
    const one = await container('alone');
    assert.match(await good(one, 'pre-start'), /is ready to join: eth0 on web/);
    await one.start();
    await assert.rejects(one.exec(['ip', 'link', 'show', 'dev', 'eth0']), 'nobody attached it yet');
    assert.match(await good(one, 'post-start'), /eth0 10\.20\.0\.\d+ on web/);
    await ping(one, '10.20.0.1');
    await good(one, 'pre-stop');
    await ping(one, '10.20.0.1');
    await one.stop();
    await good(one, 'post-stop');
    await rig.assertNothingLeft(one);
  });

  it('alone: a reboot typed inside is noticed by the liveness poll, the address stays', async () => {
    const one = await container('alone');
    await good(one, 'pre-start');
    await one.start();
    await good(one, 'post-start');
    const before = await addressesInside(one);
    await one.rebootFromInside();
    await until('the new life has its network', async () => (await addressesInside(one).catch(() => [])).length > 0, 5);
    assert.deepEqual(await addressesInside(one), before);
  });

  it('alone: a failing ADD ends the container, since it must not run without its network', async () => {
    rig.plugins.script('watch', 'ADD', ['exit 1'], pluginFails);
    const one = await container('alone', onChain);
    await good(one, 'pre-start');
    await one.start();
    const { exitCode, stderr } = await rig.hookscript(one, 'post-start');
    rig.plugins.unscript('watch', 'ADD');
    assert.equal(exitCode, 1);
    assert.match(stderr, /no more tags/);
    await one.untilStopped();
    assert.equal(await one.isRunning(), false);
    await good(one, 'post-stop');
    await rig.assertNothingLeft(one);
  });

  it('pre-start refuses early, with the reason for the task log', async () => {
    const one = await container('alone', [{ name: 'eth0', network: 'web', address: ['10.99.0.5'] }]);
    const { exitCode, stderr } = await rig.hookscript(one, 'pre-start');
    assert.equal(exitCode, 1);
    assert.match(stderr, /10\.99\.0\.5/);
    assert.match((await rig.show(one)).lastRefusal?.message ?? '', /10\.99\.0\.5/);
  });
});

/** The service’s own looks are far apart, so that the hooks are the first to tell it. */
describe('the hookscript, where nothing else is quicker', () => {
  const { rig, onChain, container, good } = useHookscript({ livenessSeconds: 60, reconcileSeconds: 600 });

  it('with the LXC hooks beside it: the work is done once', async () => {
    const one = await container('both', onChain);
    await good(one, 'pre-start');
    await one.start();
    await good(one, 'post-start');
    await good(one, 'pre-stop');
    await one.stop();
    await good(one, 'post-stop');
    assert.equal(rig.plugins.order().replaceAll('watch:VERSION ', ''), 'watch:ADD watch:CHECK watch:DEL');
    const kinds = (await rig.operations(one)).map(({ kind, outcome }) => `${kind} ${outcome}`);
    assert.deepEqual(kinds.reverse(), ['prepare ok', 'attach ok', 'verify ok', 'detach ok']);
    await rig.assertNothingLeft(one);
  });
});
