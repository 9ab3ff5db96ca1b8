import assert from 'node:assert/strict';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { execa } from 'execa';
import { until } from '../../support/until.ts';
import { addressesInside, ping, useRig, web } from './rig.ts';

const chain = {
  cniVersion: '1.0.0',
  name: 'slow',
  plugins: [
    { type: 'bridge', bridge: 'cnitest3', ipam: { type: 'static', addresses: [{ address: '10.73.0.5/24' }] } },
    { type: 'gate', capabilities: { mac: true } },
  ],
};

describe('things that happen at once', () => {
  const rig = useRig({
    files: { ...web, 'networks/slow.conflist': JSON.stringify(chain) },
    scripted: ['gate'],
    ignore: /cnitest3/,
    cleanUp: async () => {
      await execa('ip', ['link', 'delete', 'cnitest3'], { reject: false });
    },
  });
  const slow = { interfaces: [{ name: 'eth0', network: 'slow' }] };
  /** makes ADD take two seconds; resolves when one has begun */
  const gate = () => {
    const begun = `${rig.plugins.base}/begun`;
    rmSync(begun, { force: true });
    rig.plugins.script('gate', 'ADD', [`touch ${begun}`, 'sleep 2']);
    return () => until('ADD has begun', () => existsSync(begun));
  };
  afterEach(() => {
    try {
      rig.plugins.unscript('gate', 'ADD');
    } catch {
      // the test needed no gate
    }
  });
  const lxc = (tool: string, { name }: { name: string }, option: string) =>
    execa(tool, ['-P', rig.daemon.lxcPath, '-n', name, option], { reject: false, timeout: 20_000, stdin: 'ignore' });
  const adds = () => rig.plugins.calls().filter(({ verb }) => verb === 'ADD').length;

  it('D55 twenty containers at once: twenty addresses, all of them reachable', async () => {
    const containers = [];
    for (let index = 0; index < 20; index++) containers.push(await rig.container());
    await Promise.all(containers.map((one) => one.start()));
    const addresses = (await Promise.all(containers.map((one) => addressesInside(one)))).flat();
    assert.equal(addresses.length, 20);
    assert.equal(new Set(addresses).size, 20);
    const [first] = containers;
    assert.ok(first);
    for (const address of addresses.slice(1)) await ping(first, address);
    await Promise.all(containers.map((one) => one.stop()));
    for (const one of containers) await rig.assertNothingLeft(one);
  });

  it('D56 stop in the middle of a start: both end, nothing is left', async () => {
    const container = await rig.container(slow);
    const begun = gate();
    // whether LXC calls that start a success is its affair
    const start = lxc('lxc-start', container, '-d');
    await begun();
    await lxc('lxc-stop', container, '-k');
    await start;
    await container.untilStopped();
    await until('it is detached', async () => (await rig.show(container)).interfaces[0]?.state === 'stopped');
    await rig.assertNothingLeft(container);
  });

  it('D56 two starts of the same container: one life, one ADD', async () => {
    const container = await rig.container(slow);
    const begun = gate();
    const first = container.start();
    await begun();
    const second = await lxc('lxc-start', container, '-d');
    await first;
    assert.ok(!second.timedOut);
    assert.equal(adds(), 1);
    assert.equal((await addressesInside(container)).length, 1);
  });

  it('a doubled hook of the same start: one ADD, one answer for both', async () => {
    const container = await rig.container({ ...slow, hooks: { ...rig.daemon.hooks, stateDir: '/nowhere' } });
    await container.start();
    await until('the reconcile has adopted it', async () => (await rig.show(container)).interfaces[0]?.state === 'attached');
    const body = { vmid: container.vmid, pid: await container.initPid() };
    const answers = await Promise.all([1, 2, 3].map(() => rig.daemon.api('POST', '/v1/hooks/start-host', body)));
    assert.deepEqual(new Set(answers.map(({ status, body }) => `${status} ${body.message}`)).size, 1);
    assert.equal(adds(), 1);
  });

  it('a start in progress is left to its hooks: the reconcile neither attaches nor hinders it', async () => {
    const [waits, goesOn] = [`${rig.daemon.dir}/waits`, `${rig.daemon.dir}/goes-on`];
    const hook = `/bin/sh -c 'touch ${waits}; until [ -e ${goesOn} ]; do sleep 0.05; done; exit 1'`;
    const hooks = { ...rig.daemon.hooks, stateDir: '/nowhere' };
    const container = await rig.container({ ...slow, hooks, config: [`lxc.hook.start-host = ${hook}`] });
    const start = assert.rejects(container.start());
    await until('the start waits', () => existsSync(waits));
    await rig.daemon.reconciled();
    await rig.daemon.reconciled();
    assert.equal(adds(), 0);
    writeFileSync(goesOn, '');
    await start;
    await rig.assertNothingLeft(container);
  });

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    it(`D45 the service restarted by ${signal} in the middle of a start: the hook repeats, the container comes up`, async () => {
      const container = await rig.container(slow);
      const begun = gate();
      const start = container.start();
      await begun();
      rig.plugins.unscript('gate', 'ADD');
      await (signal === 'SIGTERM' ? rig.daemon.stop() : rig.daemon.kill9());
      await rig.daemon.start();
      await start;
      assert.deepEqual(await addressesInside(container), ['10.73.0.5']);
      assert.equal((await rig.show(container)).interfaces[0]?.state, 'attached');
      await container.stop();
      await rig.assertNothingLeft(container);
    });
  }
});
