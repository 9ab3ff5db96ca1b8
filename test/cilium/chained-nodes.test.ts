// Which containers the cluster has, a stand-in for Proxmox's cluster filesystem says.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createProxmoxFolder } from '../support/proxmox-folder.ts';
import { until } from '../support/until.ts';
import { gateway } from './lab.ts';
import { reaches, useCilium } from './rig.ts';

const policy = {
  apiVersion: 'cilium.io/v2',
  kind: 'CiliumNetworkPolicy',
  metadata: { name: 'friends-only' },
  spec: {
    endpointSelector: { matchLabels: { app: 'server' } },
    ingress: [{ fromEndpoints: [{ matchLabels: { app: 'friend' } }] }],
  },
};
const nic = (address: string) => [
  ...['lxc.net.0.type = veth', 'lxc.net.0.link = vmbr0', 'lxc.net.0.name = eth0'],
  ...[`lxc.net.0.ipv4.address = ${address}/24`, `lxc.net.0.ipv4.gateway = ${gateway}`, 'lxc.net.0.flags = up'],
];

for (const [what, settings] of [
  ['a tunnel between them', {}],
  ['routing between them', { routing: 'native', nativeRange: '10.0.0.0/8' }],
] as const)
  describe(`containers as they are, on two nodes with ${what}`, () => {
    const dir = mkdtempSync('/var/lib/pve-cni-test-pve-');
    after(() => rmSync(dir, { recursive: true }));
    const rig = useCilium({
      nodes: 2,
      settings,
      service: { pveDir: createProxmoxFolder(join(dir, 'pve')).path },
      files: {
        'networks/lan.yaml': 'type: cilium\nmode: chained\non: vmbr0\n',
        'networks/pods.yaml': 'type: cilium\n',
        'policies/friends.yaml': JSON.stringify(policy),
      },
    });
    const onLan = (address: string, app: string, node = 0) =>
      rig.container({ node, interfaces: [{ name: 'eth0', network: 'lan' }], config: nic(address), file: { labels: { app } } });

    it('one policy holds on one node and across nodes, and between containers of both kinds', async () => {
      const server = await onLan('10.99.0.80', 'server');
      const near = await onLan('10.99.0.81', 'friend');
      const far = await onLan('10.99.0.82', 'friend', 1);
      const stranger = await onLan('10.99.0.83', 'stranger', 1);
      // one agent carries both kinds
      const [pod, strangePod] = await Promise.all(
        ['friend', 'stranger'].map((app) => rig.container({ node: 1, file: { labels: { app } } })),
      );
      assert.ok(pod && strangePod);
      for (const container of [server, near, far, stranger, pod, strangePod]) await container.start();
      // where nodes route, containers of the LAN find those of a node's range by the LAN's router
      await rig.lab.lan('sh', '-c', `sysctl -qw net.ipv4.ip_forward=1; ip route replace 10.201.2.0/24 via ${rig.lab.nodes[1]?.address}`);
      for (const friend of [near, far, pod]) assert.equal(await reaches(friend, '10.99.0.80', 10), true, friend.name);
      for (const other of [stranger, strangePod]) {
        assert.equal(await reaches(other, '10.99.0.80', 2), false, other.name);
        await until('it reaches the world', () => reaches(other, gateway));
      }
      // the server itself may speak with anybody
      for (const address of ['10.99.0.81', '10.99.0.82', '10.99.0.83', gateway])
        assert.equal(await reaches(server, address), true, address);
      // a stranger becomes a friend
      rig.configure(stranger, { interfaces: [{ name: 'eth0', network: 'lan' }], labels: { app: 'friend' } });
      assert.equal(await reaches(stranger, '10.99.0.80', 10), true, 'after its label changed');
    });
  });
