import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { execa } from 'execa';
import type { ServiceView } from '../../src/model/api.ts';
import type { Container } from '../support/lxc.ts';
import { until } from '../support/until.ts';
import { type CiliumRig, useCilium } from './rig.ts';

const files = {
  'networks/web.yaml': 'type: cilium\n',
  'networks/pods.yaml': 'type: cilium\n',
  'networks/plain.yaml': 'type: bridge\nsubnets: [{ cidr: 10.20.0.0/24, gateway: 10.20.0.1 }]\nnat: true\n',
};
const port = 30_080;
const web = (more: object = {}) =>
  JSON.stringify({
    nodePort: port,
    ports: [{ port: 80, target: 8080 }],
    backends: { matchLabels: { network: 'web' } },
    health: { http: '/', port: 8080, intervalSeconds: 1, timeoutSeconds: 1 },
    ...more,
  });

describe('node ports', function () {
  this.timeout(240_000);
  const rig = useCilium({ nodes: 2, ownRoots: true, files });
  const { write, shows, backend, lan } = helpers(rig);
  const nodes = ['10.99.0.11', '10.99.0.12'];

  it('reach backends on all nodes, at any node, from the LAN, the nodes and containers, and none that is down', async () => {
    const [near, far] = [await backend(0), await backend(1)];
    const both = new Set([String(near.vmid), String(far.vmid)]);
    const clients = [await rig.container(), await rig.container({ interfaces: [{ name: 'eth0', network: 'plain', defaultRoute: true }] })];
    for (const client of clients) await client.start();
    write('services/web.yaml', web());
    await shows('ready', 2);
    for (const address of nodes) {
      assert.deepEqual(await lan(address), both, `from the LAN at ${address}`);
      for (const node of rig.lab.nodes) assert.deepEqual(await answers(node.run, address), both, `from ${node.name} at ${address}`);
      for (const one of [...clients, near])
        assert.deepEqual(await answers(within(rig, one), address), both, `from ${one.vmid} at ${address}`);
    }
    await far.exec(['sh', '-c', 'kill -9 $(cat /httpd.pid)']);
    await shows('degraded', 1, 8);
    for (const address of nodes) assert.deepEqual(await lan(address), new Set([String(near.vmid)]), `one is down, at ${address}`);
    await serve(far);
    await shows('ready', 2, 8);
    assert.deepEqual(await lan(nodes[0]), both);
  });

  it('keep a client with one backend when the service says so, and are balanced over UDP', async () => {
    const [near, far] = [await backend(0), await backend(1)];
    const ports = [
      { port: 80, target: 8080 },
      { port: 53, target: 5000, protocol: 'udp' },
    ];
    const servers = [near, far].map(({ vmid }, node) => {
      const netns = `--net=${rig.daemons[node]?.netnsDir}/ct${vmid}`;
      const [command = '', ...argv] = [
        ...(rig.lab.nodes[node]?.enter ?? []),
        'nsenter',
        netns,
        process.execPath,
        '-e',
        udpServer,
        String(vmid),
      ];
      return execa(command, argv, { reject: false });
    });
    try {
      write('services/web.yaml', web({ ports, affinity: 'client' }));
      await shows('ready', 2);
      const seen = await lan(nodes[0]);
      assert.equal(seen.size, 1);
      assert.deepEqual(await lan(nodes[1]), seen, 'the same at the other node');
      write('services/web.yaml', web({ ports }));
      await until('any backend answers', async () => (await lan(nodes[0])).size === 2);
      const told = await rig.lab.lan(process.execPath, '-e', udpClient, nodes[0] ?? '', String(port));
      assert.equal(told.trim(), [near.vmid, far.vmid].sort().join());
    } finally {
      for (const server of servers) server.kill();
    }
  });

  for (const [where, ...rules] of [
    [0, ['world', 'lan and otherNode'], ['host', 'node'], ['pods', 'container']],
    [1, ['world', 'lan and otherNode'], ['remote-node', 'node'], ['pods', 'container']],
  ] as const)
    it(`show the policy of a backend on ${where === 0 ? 'the node that was asked' : 'another node'} who asks`, async () => {
      const { vmid } = await backend(where);
      const client = await rig.container();
      await client.start();
      write('services/web.yaml', web());
      await shows('ready', 1);
      const askers: Record<string, Run> = {
        lan: rig.lab.lan,
        otherNode: rig.lab.nodes[1]?.run ?? rig.lab.lan,
        node: rig.node.run,
        container: within(rig, client),
      };
      for (const [from, expected] of rules) {
        const rule = from === 'pods' ? { fromEndpoints: [{ matchLabels: { network: from } }] } : { fromEntities: [from] };
        const spec = { endpointSelector: { matchLabels: { network: 'web' } }, ingress: [rule] };
        const policy = { apiVersion: 'cilium.io/v2', kind: 'CiliumNetworkPolicy', metadata: { name: 'only' }, spec };
        write('policies/only.yaml', JSON.stringify(policy));
        let allowed = '';
        await until(
          `${expected} alone may by ${from}`,
          async () => {
            const asked = Object.entries(askers).map(async ([who, run]) =>
              (await answers(run, nodes[0] ?? '', 1)).has(`${vmid}`) ? [who] : [],
            );
            allowed = (await Promise.all(asked)).flat().join(' and ');
            return allowed === expected;
          },
          20,
        ).catch((error) => assert.fail(`${error.message}, not ${allowed || 'nobody'}`));
      }
    });

  it('refuse connections at once while nobody is there, and are gone with their service', async () => {
    write('services/web.yaml', web());
    await shows('down', 0);
    for (const address of nodes) {
      const asked = rig.lab.lan('curl', '-s', '--max-time', '5', `http://${address}:${port}/`);
      await assert.rejects(asked, (error: { exitCode: number }) => error.exitCode === 7, `${address} says at once that there is nobody`);
    }
    for (const daemon of rig.daemons) daemon.remove('services/web.yaml');
    await until('no table is left on any node', async () => !(await tables(rig)).includes('pve_cni_services'), 10);
  });

  it('leave a port to the process that listens on it, and keep one that they have', async () => {
    const near = await backend(0);
    const server = createServer((_request, response) => response.end('a process of the node\n'));
    server.listen(port, '0.0.0.0');
    await once(server, 'listening');
    try {
      write('services/web.yaml', web());
      await until('the node says so', async () => (await show(rig, 0)).state === 'refused', 20);
      const { message, nodePort } = await show(rig, 0);
      assert.match(message, /process of this node listens on 30080\/tcp.*choose another nodePort/);
      assert.deepEqual(nodePort, { port, inForce: false });
      assert.deepEqual(await lan(nodes[0], 2), new Set(['a process of the node']));
      await until('the other node serves it', async () => (await lan(nodes[1], 1)).has(String(near.vmid)), 20);
    } finally {
      server.close();
    }
    await shows('ready', 1);
    assert.deepEqual(await lan(nodes[0], 5), new Set([String(near.vmid)]));
    server.listen(port, '0.0.0.0');
    await once(server, 'listening');
    try {
      await until('the node says so', async () => /listens on 30080\/tcp as well/.test((await show(rig, 0)).message), 20);
      assert.deepEqual(await lan(nodes[0], 5), new Set([String(near.vmid)]));
    } finally {
      server.close();
    }
  });

  it('are back after somebody flushed all rules, and over a restart of the service', async () => {
    const near = await backend(0);
    write('services/web.yaml', web());
    await shows('ready', 1);
    await rig.daemon.kill9();
    assert.deepEqual(await lan(nodes[0], 5), new Set([String(near.vmid)]), 'while the service is away');
    await rig.daemon.start();
    for (let n = 0; n < 5; n++) assert.deepEqual(await lan(nodes[0], 1), new Set([String(near.vmid)]), 'while it starts');
    await shows('ready', 1);
    await rig.node.run('nft', 'flush', 'ruleset');
    await until('the LAN is answered again', async () => (await lan(nodes[0], 1)).has(String(near.vmid)), 15);
    await rig.node.run('nft', 'delete', 'chain', 'inet', 'pve_cni_services', 'postrouting');
    await until(
      'a chain alone is noticed, too',
      async () => (await rig.node.run('nft', 'list', 'ruleset')).includes('chain postrouting'),
      15,
    );
  });
});

describe('node ports where nodes route', function () {
  this.timeout(240_000);
  const rig = useCilium({ nodes: 2, ownRoots: true, files, settings: { routing: 'native', nativeRange: '10.201.0.0/16' } });
  const { write, shows, backend, lan } = helpers(rig);
  const filterBridged = (value: 0 | 1) =>
    Promise.all(rig.lab.nodes.map((node) => node.run('sh', '-c', `echo ${value} > /proc/sys/net/bridge/bridge-nf-call-iptables`)));

  it('reach backends on all nodes, unless bridged packets are filtered, which the service says', async () => {
    const [near, far] = [await backend(0), await backend(1)];
    const nodes = ['10.99.0.11', '10.99.0.12'];
    try {
      await filterBridged(0);
      write('services/web.yaml', web());
      await shows('ready', 2);
      for (const address of nodes) assert.deepEqual(await lan(address), new Set([String(near.vmid), String(far.vmid)]), address);
      await filterBridged(1);
      await shows('degraded', 2);
      assert.match((await show(rig, 0)).message, /bridge-nf-call-iptables is 1.*tunnel/);
      assert.deepEqual(await lan(nodes[0]), new Set([String(near.vmid), 'nobody']), 'what is said is so');
    } finally {
      await filterBridged(1);
    }
  });
});

describe('node ports on IPv6', function () {
  this.timeout(240_000);
  const rig = useCilium({ files, ipv6: true });
  const { write, shows, backend, lan } = helpers(rig);

  it('reach the backends’ IPv6 addresses, beside those on IPv4', async () => {
    const [one, other] = [await backend(0), await backend(0)];
    write('services/web.yaml', web());
    await shows('ready', 4);
    const both = new Set([String(one.vmid), String(other.vmid)]);
    for (const address of ['[fd99::11]', '10.99.0.11']) {
      assert.deepEqual(await lan(address), both, address);
      assert.deepEqual(await answers(rig.node.run, address), both, `${address} from the node itself`);
    }
  });
});

function helpers(rig: CiliumRig) {
  afterEach(async () => {
    for (const file of ['services/web.yaml', 'policies/only.yaml']) for (const daemon of rig.daemons) daemon.remove(file);
    await until('no table is left on any node', async () => !(await tables(rig)).includes('pve_cni_services'), 20);
  });
  return {
    write(file: string, text: string): void {
      for (const daemon of rig.daemons) daemon.write(file, text);
    },
    /** so many backends are up, and the port is in force, on every node */
    async shows(state: ServiceView['state'], up: number, seconds = 20): Promise<void> {
      for (const node of rig.daemons.keys()) {
        let view: ServiceView | undefined;
        await until(
          `the service is ${state} on node ${node}`,
          async () => {
            view = await show(rig, node);
            const found = view.backends?.filter((one) => one.up).length;
            return view.state === state && found === up && view.nodePort?.inForce === true;
          },
          seconds,
        ).catch((error) => assert.fail(`${error.message}: ${JSON.stringify(view)}`));
      }
    },
    async backend(node: number): Promise<Container> {
      const container = await rig.container({ node, interfaces: [{ name: 'eth0', network: 'web' }] });
      await container.start();
      await serve(container);
      return container;
    },
    lan: (address = '', count = 20) => answers(rig.lab.lan, address, count),
  };
}

const udpServer = `require('node:dgram').createSocket('udp4').on('message', function (m, { port, address }) { this.send(process.argv[1], port, address) }).bind(5000)`;
const udpClient = `const seen = new Set(); for (let n = 0; n < 30; n++) { const s = require('node:dgram').createSocket('udp4'); s.on('message', (m) => { seen.add(String(m)); s.close(); }); s.send('x', process.argv[2], process.argv[1]) } setTimeout(() => { console.log([...seen].sort().join()); process.exit() }, 3000)`;

type Run = (...argv: string[]) => Promise<string>;

/** Who answered, of so many questions. */
async function answers(run: Run, address: string, count = 20): Promise<Set<string>> {
  const loop = 'for n in $(seq $0); do curl -s --globoff --max-time 2 http://$1/ || echo nobody; done';
  return new Set((await run('sh', '-c', loop, String(count), `${address}:${port}`)).trim().split('\n'));
}

/** In the network of a container of the first node. */
function within(rig: CiliumRig, { vmid }: Container): Run {
  return async (...argv) => (await execa('nsenter', [`--net=${rig.daemon.netnsDir}/ct${vmid}`, ...argv])).stdout;
}

async function show(rig: CiliumRig, node: number): Promise<ServiceView> {
  return (await rig.daemons[node]?.api('GET', '/v1/services/web'))?.body;
}

async function tables(rig: CiliumRig): Promise<string> {
  return (await Promise.all(rig.lab.nodes.map((node) => node.run('nft', 'list', 'tables')))).join('\n');
}

async function serve({ vmid, exec }: Container): Promise<void> {
  const server = '(exec busybox httpd -f -p 8080 -h /www >/dev/null 2>&1) & echo $! > /httpd.pid';
  await exec(['sh', '-c', `ip link set lo up; mkdir -p /www; echo ${vmid} > /www/index.html; ${server}`]);
}
