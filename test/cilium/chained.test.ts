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
});
