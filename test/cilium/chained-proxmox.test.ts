// What Proxmox has written down of a container comes from a stand-in for its cluster filesystem: files in a folder.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Container } from '../support/lxc.ts';
import { createProxmoxFolder } from '../support/proxmox-folder.ts';
import { until } from '../support/until.ts';
import { gateway } from './lab.ts';
import { reaches, useCilium } from './rig.ts';

/** as Proxmox has LXC make it: on the bridge, without an address */
const nic = ['lxc.net.0.type = veth', 'lxc.net.0.link = vmbr0', 'lxc.net.0.name = eth0'];
const onLan = [{ name: 'eth0', network: 'lan' }];

describe('interfaces that Proxmox made, with Cilium chained onto them', () => {
  const dir = mkdtempSync('/var/lib/pve-cni-test-pve-');
  const pve = createProxmoxFolder(join(dir, 'pve'));
  const rig = useCilium({ files: { 'networks/lan.yaml': 'type: cilium\nmode: chained\non: vmbr0\n' }, service: { pveDir: pve.path } });
  after(() => rmSync(dir, { recursive: true }));
  const untilState = (container: Container, state: string) =>
    until(`eth0 is ${state}`, async () => (await rig.show(container)).interfaces[0]?.state === state, 30);

  it('a static address that Proxmox has written down: an endpoint before init runs, and init finds nothing in its way', async () => {
    // ifupdown's own commands: the first fails on an address that is there
    const init = '{ ip addr show eth0; ip addr add 10.99.0.70/24 dev eth0 && ip link set eth0 up; } > /set-up 2>&1; echo $? >> /set-up';
    const container = await rig.container({ interfaces: onLan, config: nic, init });
    pve.write(
      container.vmid,
      'hostname: shop\nnet0: name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:01,ip=10.99.0.70/24,gw=10.99.0.1,type=veth\n',
    );
    await container.start();
    assert.equal((await rig.show(container)).interfaces[0]?.state, 'attached');
    assert.equal(await rig.address(container), '10.99.0.70');
    const setUp = await container.readInside('/set-up');
    assert.doesNotMatch(setUp, /inet 10\.99/);
    assert.match(setUp, /\n0\n$/);
    assert.equal(await reaches(container, gateway), true);
    await rig.daemon.reconciled();
    assert.equal((await rig.show(container)).interfaces[0]?.state, 'attached');
  });

  it('an address by DHCP, from a real server, comes through the gate, and then the container is protected', async () => {
    const pidFile = join(dir, 'dnsmasq.pid');
    await rig.lab.lan(
      ...['dnsmasq', '--conf-file=/dev/null', '--port=0', '--interface=lan', '--bind-interfaces', '--user=root'],
      ...['--dhcp-range=10.99.0.100,10.99.0.120,2m', '--leasefile-ro', `--pid-file=${pidFile}`],
    );
    const script = '#!/bin/sh\n[ "$1" = bound ] || exit 0\nip addr add $ip/24 dev $interface\n';
    const init = `printf '${script.replaceAll('\n', '\\n')}' > /bound; chmod 755 /bound; ip link set eth0 up; udhcpc -i eth0 -s /bound -t 20 -T 1 -A 1 > /dhcp 2>&1 &`;
    const container = await rig.container({ interfaces: onLan, config: nic, init });
    pve.write(container.vmid, 'hostname: dyn\nnet0: name=eth0,bridge=vmbr0,ip=dhcp,type=veth\n');
    await container.start();
    await untilState(container, 'attached');
    assert.match(await rig.address(container), /^10\.99\.0\.1[012]\d$/);
    assert.equal(await reaches(container, gateway), true);
    process.kill(Number(readFileSync(pidFile, 'utf8')));
  });

  it('behind the gate nothing but ARP and DHCP passes, whatever the container calls itself', async () => {
    const container = await rig.container({ interfaces: onLan, config: nic });
    await container.start();
    assert.equal((await rig.show(container)).interfaces[0]?.state, 'waiting');
    // an address that lasts too short to be seen as the container's, another MAC, a frame to everybody
    const forged = 'ip link set eth0 address 02:00:00:00:00:99; ip link set eth0 up; ip addr add 10.99.0.71/24 dev eth0';
    const seen = rig.lab.lan('sh', '-c', 'timeout 4 tcpdump -lnpi lan icmp 2>/dev/null; true');
    await until('the capture runs', async () => (await rig.lab.lan('pgrep', '-f', 'tcpdump -lnpi lan icmp').catch(() => '')) !== '');
    await rig.node.stopAgent();
    await container.exec([
      'sh',
      '-c',
      `${forged}; ping -c 2 -W 1 10.99.0.1; ping -c 2 -W 1 -b 10.99.0.255; arping -c 1 -I eth0 10.99.0.1 > /arp; true`,
    ]);
    assert.equal(await seen, '');
    assert.match(await container.readInside('/arp'), /Received 1/);
    await rig.node.startAgent();
    await untilState(container, 'attached');
    assert.equal(await reaches(container, gateway), true);
  });

  it('with onFailure start and the agent away the container starts, behind its gate, and is protected once the agent is back', async function () {
    this.timeout(120_000);
    const container = await rig.container({
      interfaces: onLan,
      config: [...nic, 'lxc.net.0.ipv4.address = 10.99.0.72/24', 'lxc.net.0.flags = up'],
      file: { onFailure: 'start' },
    });
    pve.write(container.vmid, 'hostname: anyway\n');
    await rig.node.stopAgent();
    await container.start();
    await untilState(container, 'waiting');
    assert.match((await rig.show(container)).interfaces[0]?.error?.message ?? '', /agent/);
    assert.equal(await reaches(container, gateway, 2), false);
    await rig.node.startAgent();
    await untilState(container, 'attached');
    assert.equal(await reaches(container, gateway), true);
  });
});
