import assert from 'node:assert/strict';
import { execa } from 'execa';
import type { OperationView } from '../../src/model/api.ts';
import { until } from '../support/until.ts';
import { gateway } from './lab.ts';
import { reaches, useCilium } from './rig.ts';

describe('the gate before an interface that waits', () => {
  const rig = useCilium({ files: { 'networks/lan.yaml': 'type: cilium\nmode: chained\non: vmbr0\n' } });
  const nic = ['lxc.net.0.type = veth', 'lxc.net.0.link = vmbr0', 'lxc.net.0.name = eth0', 'lxc.net.0.flags = up'];
  const onLan = [{ name: 'eth0', network: 'lan' }];
  const gate = async () => (await execa('nft', ['list', 'tables', 'bridge'])).stdout;

  it('is closed again when somebody has flushed all rules', async () => {
    const container = await rig.container({ interfaces: onLan, config: nic });
    await container.start();
    assert.match(await gate(), /pve_cni_gate/);
    await execa('nft', ['delete', 'table', 'bridge', 'pve_cni_gate']);
    await until('it is closed', async () => /pve_cni_gate/.test(await gate()), 5);
  });

  it('lets no router advertisement and no answer of a DHCP server out of the container', async () => {
    const container = await rig.container({ interfaces: onLan, config: nic });
    await container.start();
    const ruleset = (await execa('nft', ['list', 'table', 'bridge', 'pve_cni_gate'])).stdout;
    const from = /chain from \{([^}]*\{[^}]*\}[^}]*)*?\n\t\}/.exec(ruleset)?.[0] ?? '';
    assert.match(from, /nd-neighbor-solicit/);
    assert.match(from, /udp sport 68 udp dport 67 accept/);
    assert.doesNotMatch(from, /nd-router-advert|udp sport 67|udp sport 547/);
  });

  it('an address of the node or of another container is refused, in words, and not tried twice a second', async () => {
    const neighbour = await rig.container({ interfaces: onLan, config: [...nic, 'lxc.net.0.ipv4.address = 10.99.0.97/24'] });
    await neighbour.start();
    const container = await rig.container({ interfaces: onLan, config: nic });
    await container.start();
    const problem = async () => (await rig.show(container)).interfaces[0]?.error?.message ?? '';
    await container.exec(['sh', '-c', 'ip addr add 10.99.0.97/24 dev eth0']);
    await until(
      'it is told of',
      async () => problem().then((text) => text.includes(`10.99.0.97 belongs to container ${neighbour.vmid}`)),
      15,
    );
    await container.exec(['sh', '-c', `ip addr del 10.99.0.97/24 dev eth0; ip addr add ${rig.node.address}/24 dev eth0`]);
    await until('it is told of the node', async () => problem().then((text) => text.includes(`${rig.node.address} belongs to`)), 30);
    assert.equal((await rig.show(container)).interfaces[0]?.state, 'waiting');
    const { body } = await rig.daemon.api('GET', `/v1/operations?limit=200&vmid=${container.vmid}`);
    const tries = body.filter(({ kind, outcome }: OperationView) => kind === 'attach' && outcome !== 'ok');
    assert.ok(tries.length < 10, `${tries.length} tries`);
    await container.exec(['sh', '-c', `ip addr del ${rig.node.address}/24 dev eth0; ip addr add 10.99.0.98/24 dev eth0`]);
    await until('it is protected', async () => (await rig.show(container)).interfaces[0]?.state === 'attached', 30);
    assert.equal(await reaches(container, gateway), true);
  });
});
