import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { execa } from 'execa';
import type { CniAttachment, PluginConf } from '../../../src/model/cni.ts';
import { assertKernelUnchanged, snapshotKernel } from '../../support/kernel.ts';
import { createPluginRig, type PluginRig } from '../../support/scripted-plugin.ts';
import { until } from '../../support/until.ts';
import { refusal } from './cases/case.ts';

// Run by real-plugins.test.ts in a new network namespace, with the name of a case as the argument.

const pluginDir = '/usr/lib/cni';
const bridgeName = 'cnitest0';

type Bench = PluginRig & { container: Container };
interface Container {
  netns: string;
  ip(...args: string[]): Promise<string>;
  end(): Promise<void>;
}

const cases: Record<string, (bench: Bench) => Promise<void>> = {
  async 'bridge, host-local, portmap, firewall, tuning, bandwidth: ADD works, DEL leaves nothing, twice'(bench) {
    const attachment = fullChain(bench);
    const result = await bench.runtime.add(attachment);
    assert.deepEqual(result.ips[0]?.address, '10.99.7.2/24');
    assert.match(await bench.container.ip('-br', 'addr', 'show', 'eth0'), /10\.99\.7\.2\/24/);
    assert.match(await bench.container.ip('-d', 'link', 'show', 'eth0'), /mtu 1400/);
    assert.match(await tool('iptables-save', '-t', 'nat'), /--dport 8080 -j DNAT --to-destination 10\.99\.7\.2:80/);
    await bench.runtime.del(attachment);
    await bench.runtime.del(attachment);
  },

  async 'CHECK of the whole chain passes, and fails when an address is gone'(bench) {
    const attachment = { ...fullChain(bench), capabilityArgs: {} };
    await bench.runtime.add(attachment);
    await bench.runtime.check(attachment);
    await bench.container.ip('addr', 'del', '10.99.7.2/24', 'dev', 'eth0');
    const error = await refusal(bench.runtime.check(attachment), 'CNI_CHECK_FAILED');
    assert.equal(error.context.plugin, 'bridge');
    await bench.runtime.del(attachment);
  },

  async 'CHECK of portmap 1.1.1 with a host port fails by a defect of its own, which is shown whole'(bench) {
    const attachment = fullChain(bench);
    await bench.runtime.add(attachment);
    if ((await bench.runtime.version('portmap')).includes('1.1.0')) await bench.runtime.check(attachment);
    else {
      const error = await refusal(bench.runtime.check(attachment), 'CNI_CHECK_FAILED');
      assert.equal(error.context.plugin, 'portmap');
      assert.equal((error.context.cniError as { code: number }).code, 999);
    }
    await bench.runtime.del(attachment);
  },

  async 'the same chain, DEL after the namespace is gone: nothing is left'(bench) {
    const attachment = fullChain(bench);
    await bench.runtime.add(attachment);
    await bench.container.end();
    await bench.runtime.del(attachment);
  },

  async 'a plugin late in the chain fails: nothing is left'(bench) {
    const attachment = fullChain(bench, { type: 'tuning', sysctl: { 'net.ipv4.conf.IFNAME.no_such_switch': '1' } });
    const error = await refusal(bench.runtime.add(attachment), 'CNI_PLUGIN_FAILED');
    assert.equal(error.context.plugin, 'tuning');
    assert.equal(error.context.undone, true, error.message);
  },

  async 'bridge with ipMasq leaks masquerade rules at DEL without a namespace; the runtime removes them'(bench) {
    const attachment = masquerading(bench);
    await bench.runtime.add(attachment);
    const [chain] = /CNI-[0-9a-f]{24}/.exec(await tool('iptables-save', '-t', 'nat')) ?? assert.fail('ipMasq made no chain');
    await bench.container.end();

    const conf = { ...attachment.conflist.plugins[0], name: 'masq', cniVersion: '1.0.0' };
    const env = { CNI_COMMAND: 'DEL', CNI_CONTAINERID: 'c0ffee', CNI_NETNS: '', CNI_IFNAME: 'eth0', CNI_PATH: pluginDir };
    await execa(`${pluginDir}/bridge`, { env, input: JSON.stringify(conf) });
    for (const save of ['iptables-save', 'ip6tables-save'])
      assert.ok((await tool(save, '-t', 'nat')).includes(chain), `${save}: no leak to repair`);

    await bench.runtime.del(attachment);
    for (const save of ['iptables-save', 'ip6tables-save']) assert.ok(!(await tool(save, '-t', 'nat')).includes('CNI-'), save);
  },

  async 'ptp with ipMasq: the same'(bench) {
    const attachment = masquerading(bench, { type: 'ptp' });
    await bench.runtime.add(attachment);
    await bench.container.end();
    await bench.runtime.del(attachment);
    assert.ok(!(await tool('iptables-save', '-t', 'nat')).includes('CNI-'));
  },

  async 'bridge with ipMasq whose interface was deleted by hand: no rules are left'(bench) {
    const attachment = masquerading(bench);
    await bench.runtime.add(attachment);
    await bench.container.ip('link', 'del', 'eth0');
    await bench.runtime.del(attachment);
    assert.ok(!(await tool('iptables-save', '-t', 'nat')).includes('CNI-'));
  },

  async 'two interfaces of a container on one network with ipMasq share a chain: the rules of the other one stay'(bench) {
    const first = masquerading(bench);
    const second = { ...first, ifname: 'eth1' };
    await bench.runtime.add(first);
    const { ips } = await bench.runtime.add(second);
    await bench.runtime.del({ ...first, netns: '' });
    const rules = (await tool('iptables-save', '-t', 'nat')).split('\n').filter((line) => line.startsWith('-A POSTROUTING'));
    assert.equal(rules.length, 1);
    assert.ok(rules[0]?.includes(` ${ips[0]?.address.split('/')[0]}/32 `), rules[0]);
    await bench.runtime.del(second);
  },

  /** The rules are made here as the plugins 1.9.1 make them (pkg/ip/ipmasq_nftables_linux.go): Debian's are older. */
  async 'rules of ipMasqBackend nftables are removed by their comment, those of others stay'(bench) {
    const hash = (text: string) => createHash('sha512').update(text).digest('hex').slice(0, 16);
    const rule = (ifname: string, id: string) =>
      `add rule inet cni_plugins_masquerade masq_checks ip saddr 10.99.8.2 ip daddr != 10.99.8.0/24 masquerade comment "${hash('masq')}-${hash(`${ifname}:${id}`)}, net: masq, if: ${ifname}, id: ${id}"`;
    await tool('nft', 'add table inet cni_plugins_masquerade; add chain inet cni_plugins_masquerade masq_checks');
    for (const [ifname, id] of [['eth0', 'c0ffee'] as const, ['eth1', 'c0ffee'] as const, ['eth0', 'c0ffee2'] as const]) {
      await tool('nft', rule(ifname, id));
    }
    await bench.runtime.del({ ...masquerading(bench), netns: '' });
    const left = [...(await tool('nft', 'list', 'table', 'inet', 'cni_plugins_masquerade')).matchAll(/if: (\S+), id: (\w+)/g)];
    assert.deepEqual(
      left.map(([, ifname, id]) => `${ifname} ${id}`),
      ['eth1 c0ffee', 'eth0 c0ffee2'],
    );
    await tool('nft', 'delete table inet cni_plugins_masquerade');
  },

  async 'sbr, the one plugin that refuses a DEL without a namespace: taken as done'(bench) {
    await bench.runtime.del(bench.attachment([{ type: 'sbr' }], { netns: '' }));
  },

  async 'validate knows which versions the plugins speak'(bench) {
    const { conflist } = fullChain(bench);
    assert.deepEqual(await bench.runtime.validate(conflist), []);
    const spoken = await bench.runtime.version('bridge');
    const errors = await bench.runtime.validate({ ...conflist, cniVersion: '1.1.0' });
    assert.equal(errors[0]?.code, spoken.includes('1.1.0') ? undefined : 'CNI_VERSION_UNSUPPORTED');
  },
};

export const names = Object.keys(cases);

function fullChain(bench: Bench, tuning: PluginConf = { type: 'tuning', mtu: 1400 }): CniAttachment {
  const ranges = [[{ subnet: '10.99.7.0/24' }], [{ subnet: 'fd00:99:7::/64' }]];
  const ipam = { type: 'host-local', dataDir: `${bench.base}/ipam`, ranges };
  return bench.attachment(
    [
      { type: 'bridge', bridge: bridgeName, isGateway: true, ipMasq: true, ipam },
      { type: 'portmap', capabilities: { portMappings: true } },
      { type: 'firewall', backend: 'iptables' },
      tuning,
      { type: 'bandwidth', ingressRate: 10_000_000, ingressBurst: 10_000_000 },
    ],
    {
      netns: bench.container.netns,
      list: { name: 'full' },
      capabilityArgs: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] },
    },
  );
}

function masquerading(bench: Bench, more: PluginConf = { type: 'bridge', bridge: bridgeName, isGateway: true }): CniAttachment {
  const ranges = [[{ subnet: '10.99.8.0/24' }], [{ subnet: 'fd00:99:8::/64' }]];
  const plugin = { ...more, ipMasq: true, ipam: { type: 'host-local', dataDir: `${bench.base}/ipam`, ranges } };
  return bench.attachment([plugin], { netns: bench.container.netns, list: { name: 'masq' } });
}

/** A process in a network namespace of its own, as an LXC container's init is. */
async function startContainer(): Promise<Container> {
  const init = execa('unshare', ['--net', 'sleep', '600'], { reject: false });
  const netns = `/proc/${init.pid}/ns/net`;
  const ours = await tool('readlink', '/proc/self/ns/net');
  await until('the namespace of the container', async () => (await tool('readlink', netns)) !== ours);
  return {
    netns,
    ip: (...args) => tool('nsenter', `--net=${netns}`, 'ip', ...args),
    async end() {
      init.kill('SIGKILL');
      await init;
    },
  };
}

async function tool(file: string, ...args: string[]): Promise<string> {
  return (await execa(file, args)).stdout;
}

/** Tables and chains that portmap, firewall and iptables make once for all containers; what belongs to the container is
 *  looked for by itself. Pins are other tests'. */
const standing = /^(nft|mount|netns) |^ip6?tables-save \*\w+ (:[A-Z]+ |.*CNI-(HOSTPORT|FORWARD|ADMIN))/;

async function main(name: string): Promise<void> {
  await tool('ip', 'link', 'set', 'lo', 'up');
  await tool('sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
  const before = await snapshotKernel();
  const rig = createPluginRig({ pluginDirs: [pluginDir] }, []);
  const container = await startContainer();
  try {
    await cases[name]?.({ ...rig, container });
    const rules = await Promise.all(['iptables-save', 'ip6tables-save'].map((save) => tool(save)));
    assert.doesNotMatch(rules.join('\n'), /10\.99\.|fd00:99|c0ffee/, 'rules of the container are left');
    assert.doesNotMatch(await tool('find', rig.base, '-path', '*/ipam/*', '-name', '*99*'), /./, 'addresses of the container are left');
    assert.deepEqual(await rig.runtime.cached(), { entries: [], damaged: [] });
    await container.end();
    await execa('ip', ['link', 'del', bridgeName], { reject: false });
    // the kernel takes the links of a namespace down some time after its last process
    await until('the links are gone', async () => !(await tool('ip', '-br', 'link')).includes('veth'), 5);
    await assertKernelUnchanged(before, { ignore: standing });
  } finally {
    await container.end();
    rig.remove();
  }
}

if (process.argv[1] === new URL(import.meta.url).pathname) await main(process.argv[2] ?? '');
