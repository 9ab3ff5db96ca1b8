import assert from 'node:assert/strict';
import { execa } from 'execa';
import { ownCilium } from '../support/own-cilium.ts';
import { until } from '../support/until.ts';
import { reaches, useCilium } from './rig.ts';

const denied = {
  apiVersion: 'cilium.io/v2',
  kind: 'CiliumNetworkPolicy',
  metadata: { name: 'silent' },
  spec: {
    endpointSelector: { matchLabels: { app: 'silent' } },
    // to and from a label that nobody has: nothing
    ingress: [{ fromEndpoints: [{ matchLabels: { app: 'nobody' } }] }],
    egress: [{ toEndpoints: [{ matchLabels: { app: 'nobody' } }] }],
  },
};

describe('lives and faults on Cilium', () => {
  const rig = useCilium({
    files: {
      'networks/sticky.yaml': 'type: cilium\nsubnets: [{ cidr: 10.240.0.0/24 }]\nnat: true\n',
      'networks/05-cilium.conf': JSON.stringify(ownCilium),
    },
  });
  const sticky = [{ name: 'eth0', network: 'sticky' }];
  const endpointOf = async (vmid: number) => (await rig.node.agent.endpoints()).find(({ labels }) => labels.includes(`k8s:vmid=${vmid}`));

  it('an address stays over a restart, a reboot from inside, a kill, and a restart of the service; init finds it', async () => {
    const container = await rig.container({ interfaces: sticky, init: 'ip addr show dev eth0 > /found' });
    await container.start();
    const address = await rig.address(container);
    const mac = (await rig.show(container)).interfaces[0]?.mac;
    const holds = async (when: string) => {
      assert.equal(await rig.address(container), address, when);
      assert.equal((await rig.show(container)).interfaces[0]?.mac, mac, when);
      assert.match(await container.readInside('/found'), new RegExp(address), when);
      assert.equal(await reaches(container, '10.99.0.1'), true, when);
    };
    await holds('at first');
    const first = await endpointOf(container.vmid);
    await container.rebootFromInside();
    await holds('after a reboot from inside');
    assert.notEqual((await endpointOf(container.vmid))?.id, first?.id);
    await container.killInit();
    await container.start();
    await holds('after a kill');
    await rig.daemon.kill9();
    await rig.daemon.start();
    await rig.daemon.reconciled();
    await holds('after the service was killed');
    await container.stop('clean');
    await container.start();
    await holds('after a restart');
  });

  it('CHECK finds an address that the container removed, and repairs it; STATUS speaks for the network', async () => {
    const container = await rig.container({ interfaces: sticky });
    await container.start();
    const vmid = String(container.vmid);
    assert.equal((await rig.daemon.cli('container', 'check', vmid)).exitCode, 0);
    const address = await rig.address(container);
    await container.exec(['ip', 'addr', 'del', `${address}/32`, 'dev', 'eth0']);
    const found = await rig.daemon.cli('container', 'check', vmid);
    assert.equal(found.exitCode, 1);
    assert.match(found.stdout, new RegExp(`expected ip ${address}/32 on interface eth0`));
    assert.equal((await rig.daemon.cli('container', 'check', vmid, '--repair')).exitCode, 0);
    assert.equal(await rig.address(container), address);
    assert.equal(await reaches(container, '10.99.0.1'), true);
    assert.equal((await rig.daemon.cli('network', 'check', 'sticky')).exitCode, 0);
    await rig.node.stopAgent();
    const down = await rig.daemon.cli('network', 'check', 'sticky');
    assert.equal(down.exitCode, 1);
    assert.match(down.stdout, /cannot reach Cilium's agent/);
    await rig.node.startAgent();
  });

  it('the user’s own configuration of cilium-cni works as it is, with a warning for the kubeconfig', async () => {
    const { body: network } = await rig.daemon.api('GET', '/v1/networks/cilium');
    assert.equal(network.state, 'ready');
    assert.match(network.warnings.join(), /cilium-kubeconfig, which does not exist/);
    const [one, other] = [
      await rig.container({ interfaces: [{ name: 'eth0', network: 'cilium' }] }),
      await rig.container({ interfaces: sticky }),
    ];
    await one.start();
    await other.start();
    assert.match(await rig.address(one), /^10\.201\.1\./);
    assert.equal(await reaches(one, await rig.address(other)), true);
  });

  it('A36 not one packet of a container passes before its policy: it pings from its first moment, and a capture sees none', async () => {
    rig.daemon.write('policies/silent.yaml', JSON.stringify(denied));
    await rig.daemon.reconciled();
    const init = 'i=0; while [ $i -lt 20 ]; do ping -c 1 -W 1 10.99.0.1 >> /pings 2>&1; i=$((i + 1)); done &';
    const container = await rig.container({ interfaces: sticky, file: { labels: { app: 'silent' } }, init });
    const address = (await rig.daemon.api('GET', '/v1/addresses')).body.find(
      ({ vmid }: { vmid: number }) => vmid === container.vmid,
    )?.address;
    assert.ok(address, 'its address is reserved before it starts');
    const seen = rig.lab.lan('sh', '-c', `timeout 8 tcpdump -lnpi lan 'icmp or host ${address}' 2>/dev/null; true`);
    await container.start();
    await until('it pinged', async () => (await container.readInside('/pings')).includes('transmitted'));
    assert.equal(await seen, '');
    assert.match(await container.readInside('/pings'), /100% packet loss/);
    rig.daemon.remove('policies/silent.yaml');
    await rig.daemon.reconciled();
    await until('without the policy it reaches the world', () => reaches(container, '10.99.0.1', 1), 30);
  });

  it('A34 a container cannot send from an address that is not its own', async () => {
    const [one, other] = [await rig.container({ interfaces: sticky }), await rig.container({ interfaces: sticky })];
    await one.start();
    await other.start();
    const address = await rig.address(other);
    assert.equal(await reaches(one, address), true);
    const endpoint = await rig.node.agent.ask('GET', `/endpoint/${(await endpointOf(one.vmid))?.id}`);
    assert.match(JSON.stringify(endpoint), /"SourceIPVerification":"Enabled"/);
    const pid = await other.initPid();
    const seen = rig.node
      .run('timeout', '6', 'nsenter', '-t', String(pid), '-n', 'tcpdump', '-lnpi', 'eth0', 'src', 'host', '10.240.0.99')
      .catch(({ stdout }) => stdout);
    await one.exec(['sh', '-c', `ip addr add 10.240.0.99/32 dev eth0; ping -c 3 -W 1 -I 10.240.0.99 ${address}; true`]);
    assert.equal(await seen, '');
  });

  for (const verb of ['ADD', 'DEL'] as const)
    it(`the agent killed in the middle of ${verb}: nothing is left half, and the next start works`, async function () {
      this.timeout(150_000);
      const container = await rig.container({ interfaces: sticky });
      if (verb === 'ADD') {
        const starting = container.start().then(
          () => true,
          () => false,
        );
        await until('the plugin runs', async () => (await execa('pgrep', ['-x', 'cilium-cni'], { reject: false })).exitCode === 0);
        await rig.node.killAgent();
        await rig.node.startAgent();
        if (!(await starting)) await container.start();
      } else {
        await container.start();
        const stopping = container.stop();
        await rig.node.killAgent();
        await stopping;
        await rig.node.startAgent();
        await rig.daemon.api('POST', '/v1/gc', {});
        await rig.settled();
        await container.start();
      }
      assert.equal(await reaches(container, '10.99.0.1'), true);
    });

  it('the agent away for a while (five minutes with --full): who runs goes on, policies hold, debts are paid afterwards', async function () {
    const seconds = process.env.PVE_CNI_FULL ? 300 : 15;
    this.timeout((seconds + 120) * 1000);
    const [one, other, leaving] = [
      await rig.container({ interfaces: sticky }),
      await rig.container({ interfaces: sticky }),
      await rig.container({ interfaces: sticky }),
    ];
    for (const container of [one, other, leaving]) await container.start();
    const address = await rig.address(other);
    await rig.node.killAgent();
    await leaving.stop();
    const end = performance.now() + seconds * 1000;
    while (performance.now() < end) assert.equal(await reaches(one, address), true);
    assert.equal((await rig.daemon.api('GET', '/v1/status')).body.debts.length, 1);
    await rig.node.startAgent();
    await rig.daemon.api('POST', '/v1/gc', {});
    await rig.settled();
    assert.equal(await reaches(one, address), true);
  });

  it('A51 a full disk under the agent’s state: the start is refused in words, nothing is left, and the next works', async function () {
    this.timeout(150_000);
    const container = await rig.container({ interfaces: sticky });
    // the agent's state is on a tmpfs of its own here: it is made too small, as a full disk is
    await rig.node.run('sh', '-c', 'mount -o remount,size=$(df --output=used -k /run/cilium | tail -1 | tr -cd 0-9)k /run/cilium');
    try {
      await assert.rejects(container.start());
      assert.notEqual((await rig.show(container)).lastRefusal, null);
    } finally {
      await rig.node.run('mount', '-o', 'remount,size=1g', '/run/cilium');
    }
    await rig.daemon.api('POST', '/v1/gc', {});
    await container.start();
    assert.equal(await reaches(container, '10.99.0.1'), true);
  });
});
