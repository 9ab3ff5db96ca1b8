// Which containers the cluster has, a stand-in for Proxmox's cluster filesystem says.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Container } from '../support/lxc.ts';
import { createProxmoxFolder } from '../support/proxmox-folder.ts';
import { until } from '../support/until.ts';
import { gateway } from './lab.ts';
import { type CiliumRig, reaches, useCilium } from './rig.ts';

const sticky = [{ name: 'eth0', network: 'sticky' }];

/** What holds in both routing modes. */
function holdsOnTwoNodes(rig: CiliumRig, mtuBytes: number): void {
  const pair = async (interfaces: object[]) => {
    const here = await rig.container({ interfaces });
    const there = await rig.container({ interfaces, node: 1 });
    await here.start();
    await there.start();
    return { here, there };
  };
  const addressOn = (container: Container, node: number) => rig.address(container, rig.daemons[node]);
  /** one ping that must not be fragmented, with so many bytes of IP */
  const fits = async (container: Container, address: string, bytes: number) => {
    const pid = await container.initPid();
    const argv = ['nsenter', '-t', String(pid), '-n', 'ping', '-M', 'do', '-s', String(bytes - 28), '-c', '1', '-W', '2', address];
    return rig.node.run(...argv).then(
      () => true,
      () => false,
    );
  };

  it('containers with the agents’ addresses reach each other, the hosts and the world', async () => {
    const { here, there } = await pair([{ name: 'eth0', network: 'pods' }]);
    assert.match(await addressOn(here, 0), /^10\.201\.1\./);
    assert.match(await addressOn(there, 1), /^10\.201\.2\./);
    assert.equal(await reaches(here, await addressOn(there, 1)), true);
    assert.equal(await reaches(there, await addressOn(here, 0)), true);
    for (const container of [here, there]) assert.equal(await reaches(container, gateway), true);
    for (const node of rig.lab.nodes) assert.equal(await reaches(here, node.address), true);
  });

  it('so do containers with our addresses, and the hosts reach them; the world sees the node', async () => {
    const { here, there } = await pair(sticky);
    assert.equal(await reaches(here, await addressOn(there, 1)), true);
    assert.equal(await reaches(there, await addressOn(here, 0)), true);
    for (const node of rig.lab.nodes)
      for (const address of [await addressOn(here, 0), await addressOn(there, 1)]) await node.run('ping', '-c', '1', '-W', '5', address);
    const seen = rig.lab.lan('sh', '-c', 'timeout 8 tcpdump -lni lan -c 1 icmp and dst host 10.99.0.1 2>/dev/null');
    let over = false;
    const end = () => {
      over = true;
    };
    seen.then(end, end);
    await until('the capture ends', async () => (await reaches(here, gateway, 1)) && over);
    assert.match(await seen, new RegExp(`IP ${rig.node.address.replaceAll('.', '\\.')} > 10\\.99\\.0\\.1`));
  });

  it(`packets of ${mtuBytes} bytes go from node to node whole, larger ones are refused at once`, async () => {
    const { here, there } = await pair(sticky);
    const address = await addressOn(there, 1);
    await until('they reach each other', () => reaches(here, address));
    assert.equal(await fits(here, address, mtuBytes), true);
    assert.equal(await fits(here, address, mtuBytes + 1), false);
  });

  it('a container that moves to the other node keeps its address, and everybody finds it there', async () => {
    const { here, there } = await pair(sticky);
    const address = await addressOn(here, 0);
    assert.equal(await reaches(there, address), true);
    await rig.leave(here);
    const moved = await rig.container({ vmid: here.vmid, node: 1, interfaces: sticky });
    await moved.start();
    assert.equal(await addressOn(moved, 1), address);
    assert.equal(await reaches(there, address), true);
    assert.equal(await reaches(moved, gateway), true);
    const stayed = await rig.container({ interfaces: sticky });
    await stayed.start();
    assert.equal(await reaches(stayed, address), true);
    assert.equal(await reaches(moved, await addressOn(stayed, 0)), true);
    await rig.node.run('ping', '-c', '1', '-W', '5', address);
  });
}

/** The folder says nothing of which containers exist, so that one that moves is not taken for destroyed. */
function cluster(settings: object = {}): CiliumRig {
  const dir = mkdtempSync('/var/lib/pve-cni-test-pve-');
  const rig = useCilium({ nodes: 2, settings, service: { pveDir: createProxmoxFolder(join(dir, 'pve')).path } });
  after(() => rmSync(dir, { recursive: true }));
  return rig;
}

describe('two nodes with a tunnel between them', () => {
  holdsOnTwoNodes(cluster(), 1450);
});

describe('two nodes that route', () => {
  holdsOnTwoNodes(cluster({ routing: 'native', nativeRange: '10.192.0.0/10' }), 1500);
});
