import assert from 'node:assert/strict';
import { execa } from 'execa';
import { until } from '../../support/until.ts';
import { addressesInside, ping, useRig, web } from './rig.ts';

const files = {
  ...web,
  'networks/lan.yaml': 'type: bridge\nsubnets: [{ cidr: 10.30.0.0/24, gateway: 10.30.0.1 }]\n',
  'networks/six.yaml': 'type: bridge\nsubnets: [{ cidr: "fd00:20::/64", gateway: "fd00:20::1" }]\n',
  'networks/dual.yaml': `type: bridge
subnets:
  - { cidr: 10.40.0.0/24, gateway: 10.40.0.1 }
  - { cidr: "fd00:40::/64", gateway: "fd00:40::1" }
`,
  'networks/nat.yaml': 'type: bridge\nnat: true\nsubnets: [{ cidr: 10.50.0.0/24, gateway: 10.50.0.1 }]\n',
  'networks/local.yaml': 'type: bridge\nipam: host-local\nsubnets: [{ cidr: 10.60.0.0/24, gateway: 10.60.0.1 }]\n',
  'networks/wire.yaml': 'type: bridge\n',
};

const init = 'ip addr; ip route; ip -6 route';

describe('what a container can join', () => {
  // host-local keeps a folder for each network, without an address in it
  const rig = useRig({ files });
  const eth0 = (network: string, more: object = {}) => [{ name: 'eth0', network, ...more }];

  it('two interfaces on two networks: both before init, the default route where it is wanted', async () => {
    const interfaces = [...eth0('web'), { name: 'eth1', network: 'lan', defaultRoute: true }];
    const container = await rig.container({ interfaces, init });
    await container.start();
    const boot = await container.readInside('/boot.log');
    assert.match(boot, /inet 10\.20\.0\.\d+\/24/);
    assert.match(boot, /inet 10\.30\.0\.\d+\/24/);
    assert.deepEqual(boot.match(/default via .* dev \S+/g), ['default via 10.30.0.1 dev eth1']);
    await ping(container, '10.20.0.1');
    await ping(container, '10.30.0.1');
    await container.stop();
    await rig.assertNothingLeft(container);
  });

  it('the bridge keeps its MAC while containers come and go, and they stay good', async () => {
    const mac = async () => (await execa('cat', ['/sys/class/net/cnibr-lan/address'])).stdout;
    const first = await rig.container({ interfaces: eth0('lan') });
    await first.start();
    const before = await mac();
    const others = await Promise.all([1, 2, 3, 4].map(() => rig.container({ interfaces: eth0('lan') })));
    for (const other of others) await other.start();
    assert.equal(await mac(), before);
    const { exitCode, stdout } = await rig.daemon.cli('container', 'check', String(first.vmid));
    assert.equal(exitCode, 0, stdout);
    // one that was made without
    await execa('ip', ['link', 'delete', 'cnibr-web']).catch(() => null);
    await execa('sh', ['-c', 'ip link add cnibr-web type bridge; ip link set cnibr-web alias pve-cni:web mtu 1500 up']);
    const late = await rig.container({ interfaces: eth0('web') });
    await late.start();
    assert.equal((await execa('cat', ['/sys/class/net/cnibr-web/addr_assign_type'])).stdout, '3');
  });

  it('IPv6 alone: address, default route and neighbours', async () => {
    const [one, other] = [await rig.container({ interfaces: eth0('six'), init }), await rig.container({ interfaces: eth0('six') })];
    await Promise.all([one.start(), other.start()]);
    const boot = await one.readInside('/boot.log');
    assert.match(boot, /inet6 fd00:20::\S+\/64 scope global/);
    assert.match(boot, /default via fd00:20::1 dev eth0/);
    assert.doesNotMatch(boot, /tentative/);
    await ping(one, 'fd00:20::1');
    await ping(one, (await addressesInside(other))[0] ?? '');
  });

  it('both families: one address of each, both kept over a reboot typed inside', async () => {
    const container = await rig.container({ interfaces: eth0('dual'), init });
    await container.start();
    const before = await addressesInside(container);
    assert.deepEqual(before.map((address) => address.includes(':')).sort(), [false, true]);
    await container.rebootFromInside();
    assert.deepEqual(await addressesInside(container), before);
    await ping(container, '10.40.0.1');
    await ping(container, 'fd00:40::1');
  });

  it('fixed addresses, as they are written', async () => {
    const container = await rig.container({ interfaces: eth0('dual', { address: ['10.40.0.200', 'FD00:40:0::c8'] }) });
    await container.start();
    assert.deepEqual((await addressesInside(container)).sort(), ['10.40.0.200', 'fd00:40::c8']);
  });

  it('host-local: the plugin chooses the address', async () => {
    const container = await rig.container({ interfaces: eth0('local'), init });
    await container.start();
    assert.match(await container.readInside('/boot.log'), /inet 10\.60\.0\.\d+\/24/);
    await ping(container, '10.60.0.1');
    await container.stop();
    await rig.assertNothingLeft(container);
  });

  it('a network without subnets: a link and no address', async () => {
    const container = await rig.container({ interfaces: eth0('wire') });
    await container.start();
    assert.match(await container.exec(['ip', 'link', 'show', 'dev', 'eth0']), /[<,]UP,LOWER_UP/);
    assert.deepEqual(await addressesInside(container), []);
  });

  it('nat: one rule for the network, however many containers, and none when the network is gone', async () => {
    const rules = async () => (await execa('nft', ['list', 'ruleset'])).stdout.match(/masquerade comment "nat .*"/g) ?? [];
    const [one, other] = [await rig.container({ interfaces: eth0('nat') }), await rig.container({ interfaces: eth0('nat') })];
    await Promise.all([one.start(), other.start()]);
    assert.equal((await rules()).length, 1);
    await Promise.all([one.stop(), other.stop()]);
    assert.equal((await rules()).length, 1, 'the rule is the network’s, not the container’s');
    for (const { vmid } of [one, other]) rig.daemon.remove(`containers/${vmid}.yaml`);
    rig.daemon.remove('networks/nat.yaml');
    await until('the rule goes with the network', async () => (await rules()).length === 0);
    rig.daemon.write('networks/nat.yaml', files['networks/nat.yaml']);
  });
});
