import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { execa } from 'execa';
import type { Container } from '../support/lxc.ts';
import { until } from '../support/until.ts';
import { gateway } from './lab.ts';
import { reaches, useCilium } from './rig.ts';

const silence = (vmid: number) => `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: silence, namespace: default }
spec:
  endpointSelector: { matchLabels: { vmid: "${vmid}" } }
  egressDeny: [{ toEntities: [all] }]
`;

/** Root inside a container on a chained network. What it does in its network namespace is done from outside here, by nsenter: no busybox
 *  makes pairs with chosen numbers. */
describe('a hostile container on a chained network', () => {
  const rig = useCilium({ files: { 'networks/lan.yaml': 'type: cilium\nmode: chained\non: vmbr0\n' } });
  const nic = ['lxc.net.0.type = veth', 'lxc.net.0.link = vmbr0', 'lxc.net.0.name = eth0'];
  const withAddress = (address: string) => [...nic, `lxc.net.0.ipv4.address = ${address}/24`, 'lxc.net.0.flags = up'];
  const onLan = [{ name: 'eth0', network: 'lan' }];
  const eth0Of = async (container: Container) => (await rig.show(container)).interfaces[0];
  const inside = async (container: Container, script: string) =>
    (await execa('nsenter', ['-t', String(await container.initPid()), '-n', 'sh', '-c', script])).stdout;
  const endpointsOf = async (container: Container) =>
    (await rig.node.agent.endpoints()).filter(({ labels }) => labels.includes(`k8s:vmid=${container.vmid}`));

  it('that puts a pair of its own in the place of its interface gets neither out of its gate nor onto another’s interface', async () => {
    const victim = await rig.container({ interfaces: onLan, config: withAddress('10.99.0.90') });
    await victim.start();
    const hostInterface = (await eth0Of(victim))?.hostInterface ?? '';
    const ifindex = readFileSync(`/sys/class/net/${hostInterface}/ifindex`, 'utf8').trim();
    const attacker = await rig.container({ interfaces: onLan, config: nic });
    await attacker.start();
    assert.equal((await eth0Of(attacker))?.state, 'waiting');
    const real = (await eth0Of(attacker))?.hostInterface;
    const nested = await inside(
      attacker,
      `unshare -n sleep 60 >/dev/null 2>&1 & sleep 1; ip link set eth0 netns $! || exit 1
       nsenter -t $! -n ip link add other index ${ifindex} type veth peer name eth0 netns ${await attacker.initPid()} || exit 1
       ip addr add 10.99.0.91/24 dev eth0; ip link set eth0 up
       nsenter -t $! -n sh -c 'ip link set other up; ip link set eth0 up; ip addr add 10.99.0.91/24 dev eth0' && echo $!`,
    );
    await until(
      'it is told of',
      async () => {
        const { state, error } = (await eth0Of(attacker)) ?? {};
        assert.equal(state, 'waiting', JSON.stringify(await endpointsOf(attacker)));
        return /in its place/.test(error?.message ?? '');
      },
      15,
    );
    assert.equal((await eth0Of(attacker))?.state, 'waiting');
    assert.match((await execa('nft', ['list', 'table', 'bridge', 'pve_cni_gate'])).stdout, new RegExp(`iifname "?${real}`));
    assert.deepEqual(await endpointsOf(attacker), []);
    await assert.rejects(execa('nsenter', ['-t', nested, '-n', 'ping', '-c', '2', '-W', '1', gateway]));
    assert.deepEqual(
      (await endpointsOf(victim)).map((one) => one.hostInterface),
      [hostInterface],
    );
    assert.equal(await reaches(victim, gateway), true);
  });

  it('that takes another MAC while its interface is being made sends nothing before its policy is in force', async function () {
    this.timeout(120_000);
    rig.daemon.write('networks/web.yaml', 'type: bridge\nsubnets: [{ cidr: 10.20.0.0/24, gateway: 10.20.0.1 }]\n');
    rig.daemon.write('networks/guarded.yaml', 'type: cilium\nmode: chained\non: web\n');
    const container = await rig.container({ interfaces: [] });
    rig.daemon.write('policies/silence.yaml', silence(container.vmid));
    await container.start();
    await rig.daemon.reconciled();
    const forged = '02:00:00:00:00:99';
    const hostile = `until ip link set eth0 address ${forged}; do :; done 2>/dev/null
      ip link set eth0 up; until ip addr add 10.20.0.77/24 dev eth0; do :; done; arp -s 10.20.0.1 02:00:00:00:00:01
      while :; do ping -c 1 -W 1 10.20.0.1 & usleep 5000 2>/dev/null || sleep 0.01; done`;
    const running = execa('timeout', ['60', 'nsenter', '-t', String(await container.initPid()), '-n', 'busybox', 'sh', '-c', hostile], {
      reject: false,
      stdio: 'ignore',
    });
    const bridge = (await execa('sh', ['-c', 'ip -o link show type bridge | grep -o "cni[^:@]*" | head -1'])).stdout;
    const capture = execa('timeout', ['45', 'tcpdump', '-lnei', bridge, `icmp and ether src ${forged}`], { reject: false });
    await until('the capture runs', async () => (await execa('pgrep', ['-f', `tcpdump -lnei ${bridge}`], { reject: false })).stdout !== '');
    const attached = await rig.daemon.cli('container', 'attach', String(container.vmid), 'eth0=guarded');
    assert.equal(attached.exitCode, 0, attached.stderr);
    // what it is made of was changed in the middle
    assert.match(await inside(container, 'ip link show eth0'), new RegExp(forged));
    running.kill();
    capture.kill();
    assert.equal((await capture).stdout, '');
    for (const file of ['policies/silence.yaml', 'networks/guarded.yaml', 'networks/web.yaml']) rig.daemon.remove(file);
  });
});
