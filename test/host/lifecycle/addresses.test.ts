import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { execa } from 'execa';
import { until } from '../../support/until.ts';
import { addressesInside, ping, useRig } from './rig.ts';

const files = {
  'networks/web.yaml': 'type: bridge\nnat: true\nsubnets: [{ cidr: 10.20.0.0/24, gateway: 10.20.0.1 }]\n',
  'networks/tiny.yaml': 'type: bridge\nsubnets: [{ cidr: 10.31.0.0/24, gateway: 10.31.0.1, range: 10.31.0.10-10.31.0.11 }]\n',
};

describe('addresses that outlive their containers’ lives', () => {
  const rig = useRig({ files, flushes: true });
  const reserved = async (network: string) => (await rig.daemon.api('GET', `/v1/addresses?network=${network}`)).body;
  const tiny = { interfaces: [{ name: 'eth0', network: 'tiny' }] };

  it('D60 the pool is exhausted: refused with the reason, and nothing leaks over 1,000 tries', async () => {
    const [one, other, third] = [await rig.container(tiny), await rig.container(tiny), await rig.container(tiny)];
    await Promise.all([one.start(), other.start()]);
    assert.match(await rig.refused(third), /"?tiny"?/);
    const [refusal] = (await rig.operations(third)).filter(({ outcome }) => outcome === 'refused');
    assert.equal(refusal?.error?.code, 'IPAM_POOL_EXHAUSTED');
    for (let round = 0; round < 100; round++) {
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => rig.daemon.api('POST', '/v1/hooks/pre-start', { vmid: third.vmid })),
      );
      assert.deepEqual([...new Set(answers.map(({ body }) => body.code))], ['IPAM_POOL_EXHAUSTED']);
    }
    assert.equal((await reserved('tiny')).length, 2);
    await rig.destroy(one);
    await until('the third has got an address', async () => (await rig.show(third)).interfaces[0]?.addresses.length === 1);
    await third.start();
    await ping(third, '10.31.0.1');
  });

  it('D57 the same fixed address for two containers: one has it, the other is refused', async () => {
    const interfaces = [{ name: 'eth0', network: 'web', address: ['10.20.0.50'] }];
    const [one, other] = [await rig.container({ interfaces }), await rig.container({ interfaces })];
    await one.start();
    assert.match(await rig.refused(other), /10\.20\.0\.50/);
    assert.deepEqual(await addressesInside(one), ['10.20.0.50']);
  });

  it('destroyed while the service was down: its file is archived, its address kept from others', async () => {
    rig.daemon.write('settings.yaml', 'releaseAfterHours: 24\n');
    const container = await rig.container();
    await container.start();
    const [address = ''] = await addressesInside(container);
    await rig.daemon.stop();
    await rig.destroy(container);
    await rig.daemon.start();
    const row = async () => (await reserved('web')).find((one: { address: string }) => one.address === address);
    await until('the address is kept', async () => (await row())?.state === 'kept');
    assert.ok(Date.parse((await row()).releaseAt) > Date.now() + 23 * 3_600_000);
    assert.ok(!readdirSync(`${rig.daemon.root}/containers`).includes(`${container.vmid}.yaml`));
    assert.ok(readdirSync(`${rig.daemon.root}/archive`).some((name) => name.includes(String(container.vmid))));
    const next = await rig.container();
    assert.notEqual((await rig.show(next)).interfaces[0]?.addresses[0], address, 'nobody inherits it');
    rig.daemon.write('settings.yaml', 'releaseAfterHours: 0\n');
  });

  it('destroyed with releaseAfterHours 0: the address is free at once', async () => {
    const container = await rig.container();
    await container.start();
    const [address = ''] = await addressesInside(container);
    await rig.destroy(container);
    await until('it is free', async () => !(await reserved('web')).some((one: { address: string }) => one.address === address));
  });

  it('D53 the host rebooted with running containers: what they left is gone, they come up with the same addresses', async () => {
    const containers = [await rig.container(), await rig.container(), await rig.container({ unprivileged: true })];
    await Promise.all(containers.map((one) => one.start()));
    const before = await Promise.all(containers.map((one) => addressesInside(one)));
    await rig.daemon.kill9();
    await powerCut(containers);
    await rig.daemon.start({ PVE_CNI_TEST_BOOT_ID: 'another boot' });
    for (const one of containers)
      await until('it is stopped', async () => (await rig.show(one)).interfaces[0]?.state === 'stopped').then(() =>
        rig.assertNothingLeft(one),
      );
    await Promise.all(containers.map((one) => one.start()));
    assert.deepEqual(await Promise.all(containers.map((one) => addressesInside(one))), before);
    for (const one of containers) await ping(one, '10.20.0.1');
  });

  /** What a power cut takes: processes without a hook, pins, bridges, rules. */
  async function powerCut(containers: Awaited<ReturnType<typeof rig.container>>[]) {
    for (const one of containers) {
      const init = await one.initPid();
      await one.killMonitor();
      if (await one.isRunning()) process.kill(init, 'SIGKILL');
      await until('init is dead', async () => !(await one.isRunning()));
      await execa('umount', ['--lazy', `${rig.daemon.netnsDir}/ct${one.vmid}`]);
    }
    const { stdout } = await execa('ip', ['-json', 'link', 'show', 'type', 'bridge']);
    for (const { ifname } of JSON.parse(stdout)) await execa('ip', ['link', 'delete', ifname]);
    await execa('nft', ['flush', 'ruleset']);
  }
});
