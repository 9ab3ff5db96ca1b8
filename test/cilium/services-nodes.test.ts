import assert from 'node:assert/strict';
import { execa } from 'execa';
import type { ServiceView } from '../../src/model/api.ts';
import type { Daemon } from '../support/daemon.ts';
import type { Container } from '../support/lxc.ts';
import { until } from '../support/until.ts';
import { useCilium } from './rig.ts';

const vip = '10.96.0.20';
const service = JSON.stringify({
  address: vip,
  ports: [{ port: 80, target: 8080 }],
  backends: { matchLabels: { network: 'web' } },
  health: { http: '/', intervalSeconds: 1, timeoutSeconds: 1 },
});

describe('services of several nodes', function () {
  this.timeout(180_000);
  const rig = useCilium({
    nodes: 2,
    ownRoots: true,
    files: { 'networks/web.yaml': 'type: cilium\n', 'networks/pods.yaml': 'type: cilium\n' },
  });
  afterEach(() => {
    for (const daemon of rig.daemons) daemon.remove('services/web.yaml');
  });

  async function show(daemon: Daemon): Promise<ServiceView> {
    return (await daemon.api('GET', '/v1/services/web')).body;
  }
  async function up(daemon: Daemon): Promise<number[]> {
    const { backends = [], inAgent } = await show(daemon);
    return inAgent ? backends.filter((one) => one.up).map(({ vmid }) => vmid) : [];
  }
  async function bothSay(what: string, vmids: number[], seconds = 20): Promise<void> {
    for (const daemon of rig.daemons) {
      let view: unknown;
      await until(
        `${what} on both nodes`,
        async () => {
          view = await show(daemon);
          return JSON.stringify(await up(daemon)) === JSON.stringify([...vmids].sort());
        },
        seconds,
      ).catch((error) => assert.fail(`${error.message}: ${JSON.stringify(view)}`));
    }
  }

  it('have backends on all of them, of which each node says how its own are', async () => {
    const [near, far] = [await backend(0), await backend(1)];
    const clients = [await client(0), await client(1)];
    for (const daemon of rig.daemons) daemon.write('services/web.yaml', service);
    await bothSay('two backends are up', [near.vmid, far.vmid]);
    for (const [node, one] of clients.entries())
      assert.deepEqual(await answers(one, node), new Set([String(near.vmid), String(far.vmid)]), `from node ${node}`);
    const nodes = (await show(rig.daemon)).backends.map(({ node }) => node);
    assert.equal(new Set(nodes).size, 2);

    await far.exec(['sh', '-c', 'kill -9 $(cat /httpd.pid)']);
    await bothSay('the one that died is down', [near.vmid], 8);
    for (const [node, one] of clients.entries()) assert.deepEqual(await answers(one, node), new Set([String(near.vmid)]));
    const down = (await show(rig.daemon)).backends.find(({ vmid }) => vmid === far.vmid);
    assert.match(down?.reason ?? '', /connect/i, 'its own node’s words');
    await serve(far);
    await bothSay('it is up again', [near.vmid, far.vmid], 8);

    // nobody speaks for its containers any more
    await rig.daemons[1]?.kill9();
    const silent = async () => (await show(rig.daemon)).backends.find(({ vmid }) => vmid === far.vmid);
    await until('the silent node’s backend is down', async () => (await up(rig.daemon)).join() === String(near.vmid), 30);
    assert.match((await silent())?.reason ?? '', /does not report/);
    assert.deepEqual(await answers(clients[0] as Container, 0), new Set([String(near.vmid)]));
    await rig.daemons[1]?.start();
    await bothSay('both are up again', [near.vmid, far.vmid]);

    // without etcd nobody can say anything new, and nothing is taken away
    await rig.lab.stopEtcd();
    await until('the outage is longer than the lease', () => false, 20).catch(() => {});
    for (const daemon of rig.daemons) assert.equal((await up(daemon)).length, 2);
    await near.exec(['sh', '-c', 'kill -9 $(cat /httpd.pid)']);
    await until('a node still sees its own', async () => (await up(rig.daemon)).join() === String(far.vmid));
    await serve(near);
    await rig.lab.startEtcd();
    for (let n = 0; n < 10; n++) {
      const { backends } = await show(rig.daemon);
      const kept = backends.find(({ vmid }) => vmid === far.vmid);
      assert.equal(kept?.up, true, `a node that has not come back to etcd yet is not taken for dead: ${kept?.reason ?? 'gone'}`);
      await until('half a second has passed', () => false, 0.5).catch(() => {});
    }
    await bothSay('all is as before', [near.vmid, far.vmid], 60);
  });

  async function backend(node: number): Promise<Container> {
    const container = await rig.container({ node, interfaces: [{ name: 'eth0', network: 'web' }] });
    await container.start();
    await serve(container);
    return container;
  }
  async function client(node: number): Promise<Container> {
    const container = await rig.container({ node });
    await container.start();
    return container;
  }
  async function answers({ vmid }: Container, node: number): Promise<Set<string>> {
    const loop = 'for n in $(seq 30); do curl -s --max-time 2 http://$0/ || echo nobody; done';
    const netns = `${rig.daemons[node]?.netnsDir}/ct${vmid}`;
    const [command = '', ...argv] = [...(rig.lab.nodes[node]?.enter ?? []), 'nsenter', `--net=${netns}`, 'sh', '-c', loop, vip];
    return new Set((await execa(command, argv)).stdout.trim().split('\n'));
  }
});

async function serve({ vmid, exec }: Container): Promise<void> {
  const server = '(exec busybox httpd -f -p 8080 -h /www >/dev/null 2>&1) & echo $! > /httpd.pid';
  await exec(['sh', '-c', `ip link set lo up; mkdir -p /www; echo ${vmid} > /www/index.html; ${server}`]);
}
