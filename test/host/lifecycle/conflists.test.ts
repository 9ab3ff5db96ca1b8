import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { execa } from 'execa';
import { cniPlugins191 } from '../../support/cni-plugins.ts';
import { assertKernelUnchanged, snapshotKernel } from '../../support/kernel.ts';
import { skip } from '../../support/skip.ts';
import { addressesInside, ping, useRig } from './rig.ts';

const chain = (cniVersion: string, dataDir: string) => ({
  cniVersion,
  name: 'chain',
  plugins: [
    {
      type: 'bridge',
      bridge: 'cnitest0',
      isGateway: true,
      ipMasq: true,
      ipam: { type: 'host-local', dataDir, ranges: [[{ subnet: '10.70.0.0/24' }]], routes: [{ dst: '0.0.0.0/0' }] },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
    { type: 'firewall', backend: 'iptables' },
    { type: 'tuning', sysctl: { 'net.core.somaxconn': '500' } },
    { type: 'bandwidth', ingressRate: 100_000_000, ingressBurst: 1_000_000, egressRate: 100_000_000, egressBurst: 1_000_000 },
  ],
});

/** What the plugins themselves leave for the next container: their bridge, empty chains, the sysctl for portmap. */
const pluginsOwn = /cnitest0|CNI-(FORWARD|ADMIN)|iptables\S* \*(filter|nat)|nft .*"(filter|nat)"|^nft \{"table"|^sysctl/;

const versions = [
  { what: 'Debian’s plugins', cniVersion: '1.0.0', plugins: () => ({ folder: '/usr/lib/cni', remove: () => {} }) },
  { what: 'the plugins 1.9.1, with STATUS', cniVersion: '1.1.0', plugins: cniPlugins191 },
];

for (const { what, cniVersion, plugins } of versions) {
  describe(`a plain chain of five plugins, ${what}`, () => {
    const pluginDirs: string[] = [];
    let remove = () => {};
    after(() => remove());
    before(function () {
      const found = plugins();
      if (found === null) skip(this, `${what}: scripts/setup --test builds them where there is a go`);
      pluginDirs.push(found.folder);
      remove = found.remove;
    });
    const dataDir = '/run/pve-cni-test-host-local';
    const rig = useRig({
      files: { 'networks/chain.conflist': JSON.stringify(chain(cniVersion, dataDir)) },
      pluginDirs,
      ignore: /^sysctl/,
      cleanUp: async () => {
        await execa('ip', ['link', 'delete', 'cnitest0'], { reject: false });
        await execa('nft', ['flush', 'ruleset']);
        await execa('rm', ['-rf', dataDir]);
      },
    });
    const interfaces = [{ name: 'eth0', network: 'chain' }];

    for (const unprivileged of [false, true])
      it(`${unprivileged ? 'unprivileged' : 'privileged'}: every plugin’s work is there before init, and ipMasq leaves nothing`, async () => {
        const container = await rig.container({
          interfaces,
          unprivileged,
          init: 'ip addr show dev eth0; cat /proc/sys/net/core/somaxconn',
        });
        const before = await snapshotKernel();
        await container.start();
        const [address = ''] = await addressesInside(container);
        assert.match(await container.readInside('/boot.log'), new RegExp(`inet ${address}/24[^]*500`));
        await ping(container, '10.70.0.1');
        assert.match((await execa('iptables-save')).stdout, /MASQUERADE/);
        await container.rebootFromInside();
        await ping(container, '10.70.0.1');
        await container.stop();
        await rig.assertNothingLeft(container);
        assert.doesNotMatch((await execa('iptables-save')).stdout, /MASQUERADE|-A CNI-FORWARD .*10\.70/);
        await assertKernelUnchanged(before, { ignore: pluginsOwn });
        assert.ok(!existsSync(`${dataDir}/chain/${address}`), 'host-local has the address back');
      });

    it('the namespace is gone before DEL: the masquerading rules go all the same', async () => {
      const container = await rig.container({ interfaces });
      await container.start();
      await rig.daemon.kill9();
      await container.stop();
      await execa('umount', ['--lazy', `${rig.daemon.netnsDir}/ct${container.vmid}`]);
      await rig.daemon.start();
      await rig.daemon.reconciled();
      await rig.assertNothingLeft(container);
      assert.doesNotMatch((await execa('iptables-save')).stdout, /MASQUERADE/);
    });

    it('network check asks what the version of the list can be asked', async () => {
      const { exitCode, stdout, stderr } = await rig.daemon.cli('network', 'check', 'chain');
      assert.equal(exitCode, 0, stdout + stderr);
    });
  });
}
