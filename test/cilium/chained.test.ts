import assert from 'node:assert/strict';
import { execa } from 'execa';
import type { Container } from '../support/lxc.ts';
import { until } from '../support/until.ts';
import { reaches, useCilium } from './rig.ts';

/** NIC as Proxmox makes it: a pair with its host's end on the bridge of the node. */
const nic = (address?: string) => [
  'lxc.net.0.type = veth',
  'lxc.net.0.link = vmbr0',
  'lxc.net.0.name = eth0',
  ...(address ? [`lxc.net.0.ipv4.address = ${address}/24`, 'lxc.net.0.flags = up'] : []),
];

describe('containers as they are, with Cilium chained onto their interface', () => {
  const rig = useCilium({
    files: {
      'networks/lan.yaml': 'type: cilium\nmode: chained\non: vmbr0\n',
      'networks/pods.yaml': 'type: cilium\n',
    },
  });
  const onLan = [{ name: 'eth0', network: 'lan' }];
  const attached = (container: Container) =>
    until('eth0 is attached', async () => (await rig.show(container)).interfaces[0]?.state === 'attached');

  it('keep their interface and their address on the LAN, and are endpoints', async () => {
    const one = await rig.container({ interfaces: onLan, config: nic('10.99.0.50') });
    const other = await rig.container({ interfaces: onLan, config: nic('10.99.0.51') });
    await one.start();
    await other.start();
    assert.equal(await rig.address(one), '10.99.0.50');
    const [endpoint] = (await rig.node.agent.endpoints()).filter(({ addresses }) => addresses.includes('10.99.0.50'));
    assert.ok(endpoint?.labels.includes(`k8s:vmid=${one.vmid}`));
    assert.equal(await reaches(one, '10.99.0.51'), true);
    assert.equal(await reaches(one, '10.99.0.1'), true);
    assert.deepEqual((await execa('nft', ['list', 'tables', 'bridge'])).stdout, '');
    await one.stop();
    await rig.settled();
  });

  it('that get their address later wait behind a gate that lets only ARP and DHCP pass, then are protected', async () => {
    const container = await rig.container({ interfaces: onLan, config: nic() });
    await container.start();
    assert.equal((await rig.show(container)).interfaces[0]?.state, 'waiting');
    assert.match((await execa('nft', ['list', 'table', 'bridge', 'pve_cni_gate'])).stdout, /iifname "veth/);
    await container.exec(['sh', '-c', 'ip link set eth0 up; ip addr add 10.99.0.52/24 dev eth0']);
    await attached(container);
    assert.equal(await rig.address(container), '10.99.0.52');
    assert.equal(await reaches(container, '10.99.0.1'), true);
    assert.deepEqual((await execa('nft', ['list', 'tables', 'bridge'])).stdout, '');
  });

  it('that change their address are known by the new one', async () => {
    const container = await rig.container({ interfaces: onLan, config: nic('10.99.0.53') });
    await container.start();
    await container.exec(['sh', '-c', 'ip addr del 10.99.0.53/24 dev eth0; ip addr add 10.99.0.54/24 dev eth0']);
    await until('the new address is known', async () => (await rig.show(container)).interfaces[0]?.addresses[0] === '10.99.0.54');
    assert.equal(await reaches(container, '10.99.0.1'), true);
  });

  /** what of a container's interface a person can see from the node: link, bridge, filters, programs */
  const seenOf = async (container: Container) => {
    const pid = await container.initPid();
    const [link] = JSON.parse((await execa('nsenter', ['-t', String(pid), '-n', 'ip', '-json', 'addr', 'show', 'eth0'])).stdout);
    const [host] = JSON.parse(
      (await execa('sh', ['-c', `ip -json -d link show | jq '[.[] | select(.ifindex == ${link.link_index})]'`])).stdout,
    );
    const programs = (await execa('sh', ['-c', `tc filter show dev ${host.ifname} ingress; tc filter show dev ${host.ifname} egress`]))
      .stdout;
    const { address, addr_info, flags } = link;
    const facts = { address, flags, addresses: addr_info.map(({ local }: { local: string }) => local), programs };
    return { ...facts, master: host.master, up: host.operstate, gates: (await execa('nft', ['list', 'tables', 'bridge'])).stdout };
  };

  it('protect and unprotect a running container that nobody prepared: its traffic goes on, and its interface is what it was', async () => {
    rig.daemon.remove('networks/lan.yaml');
    const container = await rig.unmanaged({ config: nic('10.99.0.60') });
    await container.start();
    await until('it reaches the LAN', () => reaches(container, '10.99.0.1'));
    const before = await seenOf(container);
    const protectedBy = await rig.daemon.cli('container', 'protect', String(container.vmid));
    assert.equal(protectedBy.exitCode, 0, protectedBy.stderr);
    assert.match(protectedBy.stdout, /eth0 of container \d+ joins network "protected-vmbr0" now/);
    assert.ok((await rig.node.agent.endpoints()).some(({ addresses }) => addresses.includes('10.99.0.60')));
    assert.equal(await reaches(container, '10.99.0.1'), true);
    const again = await rig.daemon.cli('container', 'protect', String(container.vmid));
    assert.match(again.stderr, /Cilium has it already/);
    const undone = await rig.daemon.cli('container', 'unprotect', String(container.vmid));
    assert.equal(undone.exitCode, 0, undone.stderr);
    assert.deepEqual(await seenOf(container), before);
    assert.equal(await reaches(container, '10.99.0.1'), true);
    rig.daemon.remove('networks/protected-vmbr0.yaml');
  });

  it('protect an interface on a bridge network of ours: the same address, then unprotected again', async () => {
    rig.daemon.write('networks/web.yaml', 'type: bridge\nsubnets: [{ cidr: 10.20.0.0/24, gateway: 10.20.0.1 }]\n');
    const container = await rig.container({ interfaces: [{ name: 'eth0', network: 'web' }] });
    await container.start();
    const address = await rig.address(container);
    assert.equal((await rig.daemon.cli('container', 'protect', String(container.vmid))).exitCode, 0);
    assert.equal(await rig.address(container), address);
    assert.ok((await rig.node.agent.endpoints()).some(({ addresses }) => addresses.includes(address)));
    assert.equal(await reaches(container, '10.20.0.1'), true);
    assert.equal((await rig.daemon.cli('container', 'unprotect', String(container.vmid))).exitCode, 0);
    assert.equal(await rig.address(container), address);
    assert.equal(await reaches(container, '10.20.0.1'), true);
    await container.stop();
    rig.daemon.remove(`containers/${container.vmid}.yaml`);
    for (const file of ['web', 'protected-web']) rig.daemon.remove(`networks/${file}.yaml`);
  });

  it('refuse in words what cannot be protected: no such interface, another bridge, not the first one', async () => {
    const container = await rig.unmanaged({ config: nic('10.99.0.61') });
    await container.start();
    const { stderr, exitCode } = await rig.daemon.cli('container', 'protect', String(container.vmid), '--interface', 'eth7');
    assert.notEqual(exitCode, 0);
    assert.match(stderr, /has no interface eth7 on a bridge/);
    rig.daemon.write('networks/elsewhere.yaml', 'type: cilium\nmode: chained\non: vmbr7\n');
    await rig.daemon.reconciled();
    const other = await rig.daemon.cli('container', 'attach', String(container.vmid), 'eth0=elsewhere');
    assert.match(other.stderr, /it is on vmbr0, not on vmbr7/);
    assert.equal(await reaches(container, '10.99.0.1'), true);
    rig.daemon.remove('networks/elsewhere.yaml');
  });
});
