import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { execa } from 'execa';
import type { ServiceView } from '../../src/model/api.ts';
import type { Container } from '../support/lxc.ts';
import { until } from '../support/until.ts';
import { type CiliumRig, useCilium } from './rig.ts';

const files = { 'networks/web.yaml': 'type: cilium\n', 'networks/pods.yaml': 'type: cilium\n' };
const vip = '10.96.0.10';
const web = (more: object = {}) =>
  JSON.stringify({
    address: vip,
    ports: [{ port: 80, target: 8080 }],
    backends: { matchLabels: { network: 'web' } },
    health: { http: '/', intervalSeconds: 1, timeoutSeconds: 1 },
    ...more,
  });

describe('services', function () {
  this.timeout(120_000);
  const rig = useCilium({ files });
  let written: string[] = [];
  afterEach(async () => {
    for (const script of scripts.splice(0)) script.kill();
    for (const name of written) rig.daemon.remove(`services/${name}.yaml`);
    const left = () => rig.node.agent.frontends().catch(() => []);
    await until('no service is left in the agent', async () => (await left()).length === 0, 20);
    written = [];
  });

  function write(name: string, text: string): void {
    if (!written.includes(name)) written.push(name);
    rig.daemon.write(`services/${name}.yaml`, text);
  }
  const show = async (name = 'web'): Promise<ServiceView> => (await rig.daemon.api('GET', `/v1/services/${name}`)).body;
  const shows = (state: ServiceView['state'], name = 'web', seconds = 20) => stateOf(rig, name, state, seconds);

  it('answer at their address from every backend', async () => {
    const [one, other, client] = await started(rig);
    write('web', web());
    await shows('ready');
    assert.deepEqual(await answers(rig, client, vip, 30), new Set([String(one.vmid), String(other.vmid)]));
  });

  it('are balanced over UDP, too', async () => {
    const [one, other, client] = await started(rig);
    const servers = [one, other].map((backend) =>
      inside(
        rig,
        backend,
        `require('node:dgram').createSocket('udp4').on('message', function (m, { port, address }) { this.send('${backend.vmid}', port, address) }).bind(5000)`,
      ),
    );
    write('dns', web({ ports: [{ port: 53, target: 5000, protocol: 'udp' }], health: undefined }));
    await shows('ready', 'dns');
    const asked = inside(
      rig,
      client,
      `const seen = new Set(); for (let n = 0; n < 30; n++) { const s = require('node:dgram').createSocket('udp4'); s.on('message', (m) => { seen.add(String(m)); s.close(); }); s.send('x', 53, '${vip}'); setTimeout(() => { try { s.close() } catch {} }, 2000) } setTimeout(() => { console.log([...seen].sort().join()); process.exit() }, 2500)`,
    );
    assert.equal((await asked).stdout, [one.vmid, other.vmid].sort().join());
    for (const server of servers) server.kill();
  });

  it('send nobody to a backend that stopped answering, within seconds, and use it again when it is well', async () => {
    const [one, other, client] = await started(rig);
    write('web', web());
    await shows('ready');
    await stopServing(one);
    const view = await shows('degraded', 'web', 5);
    const [down] = view.backends.filter(({ up }) => !up);
    assert.equal(down?.vmid, one.vmid);
    assert.match(down?.reason ?? '', /refused|connect/i);
    assert.ok(Date.parse(down?.since ?? '') > Date.now() - 10_000);
    assert.deepEqual(await answers(rig, client, vip, 20), new Set([String(other.vmid)]));
    await serve(one);
    await shows('ready', 'web', 5);
    assert.equal((await answers(rig, client, vip, 30)).size, 2);
  });

  it('take an error of the server for one, and a slow answer', async () => {
    const [one, other] = await started(rig);
    write('web', web({ health: { http: '/missing', intervalSeconds: 1, timeoutSeconds: 1 } }));
    const view = await shows('down');
    assert.deepEqual(new Set(view.backends.map(({ reason }) => reason)), new Set(['it answered 404']));
    assert.match(view.message, /404/);
    await stopServing(one);
    const silent = inside(rig, one, "require('node:net').createServer(() => {}).listen(8080)");
    await until('the silence is noticed', async () =>
      (await show()).backends.some(({ vmid, reason }) => vmid === one.vmid && /timed? ?out/i.test(reason)),
    );
    write('web', web({ health: { tcp: true, intervalSeconds: 1, timeoutSeconds: 1 } }));
    await shows('ready');
    silent.kill();
    const refused = await shows('degraded', 'web', 8);
    assert.match(refused.backends.find(({ vmid }) => vmid === one.vmid)?.reason ?? '', /refused/i);
    assert.equal(refused.backends.find(({ vmid }) => vmid === other.vmid)?.up, true);
  });

  it('follow containers as they stop and start', async () => {
    const [one, other, client] = await started(rig);
    write('web', web());
    await shows('ready');
    await one.stop('kill');
    await until('the stopped one is no backend', async () => (await show()).backends.length === 1);
    await shows('ready');
    assert.deepEqual(await answers(rig, client, vip, 20), new Set([String(other.vmid)]));
    await one.start();
    await serve(one);
    await until('it is one again', async () => (await show()).backends.filter(({ up }) => up).length === 2);
    await shows('ready');
    assert.equal((await answers(rig, client, vip, 30)).size, 2);
  });

  it('choose by labels that people give, as they are changed', async () => {
    const interfaces = [{ name: 'eth0', network: 'web' }];
    const container = await rig.container({ interfaces });
    await container.start();
    await serve(container);
    write('web', web({ backends: { matchLabels: { app: 'shop', 'example.org/tier': 'front' } } }));
    assert.match((await shows('down')).message, /no running container.*app=shop, example\.org\/tier=front/);
    const { body: doctor } = await rig.daemon.api('GET', '/v1/doctor');
    assert.ok(doctor.checks.some(({ name, state }: { name: string; state: string }) => name === 'services' && state === 'bad'));
    rig.configure(container, { interfaces, labels: { app: 'shop', 'example.org/tier': 'front' } });
    assert.equal((await shows('ready')).backends[0]?.vmid, container.vmid);
    rig.configure(container, { interfaces, labels: { app: 'shop' } });
    assert.equal((await shows('down')).backends.length, 0);
  });

  it('keep a client with one backend when they say so', async () => {
    const [, , client] = await started(rig);
    write('web', web({ affinity: 'client' }));
    await shows('ready');
    assert.equal((await answers(rig, client, vip, 30)).size, 1);
  });

  it('leave open connections alone when something changes, and while their backend is not well', async () => {
    const [one, , client] = await started(rig, 1);
    const echo = inside(rig, one, "require('node:net').createServer((c) => c.on('data', (d) => c.write(d))).listen(7000)");
    const echoed = { ports: [{ port: 7, target: 7000 }] };
    write('echo', web({ ...echoed, health: { http: '/', port: 8080, intervalSeconds: 1, timeoutSeconds: 1 } }));
    await shows('ready', 'echo');
    // one connection, never made anew: an error ends the script
    const talk = inside(
      rig,
      client,
      `const c = require('node:net').connect(7, '${vip}', () => c.write('x')); c.on('data', () => { console.log('.'); setTimeout(() => c.write('x'), 50) })`,
    );
    let heard = 0;
    talk.stdout?.on('data', () => {
      heard += 1;
    });
    const goesOn = async () => {
      const before = heard;
      await until('the connection goes on', () => heard > before + 10);
    };
    await goesOn();
    write('other', web({ address: '10.96.0.11' }));
    await shows('ready', 'other');
    await goesOn();
    write('echo', web({ ...echoed, health: { http: '/missing', port: 8080, intervalSeconds: 1, timeoutSeconds: 1 } }));
    await shows('down', 'echo');
    await goesOn();
    assert.equal((await answers(rig, client, `${vip}:7`, 1)).has('nobody'), true, 'no new connection is made');
    await one.stop('kill');
    const stopped = heard;
    await until('the container is no backend', async () => (await show('echo')).backends.length === 0);
    assert.ok(heard - stopped < 5, 'the connection ended with the container');
    echo.kill();
  });

  it('are served on as they were when their file is broken, and are gone with their file', async () => {
    const [one, other, client] = await started(rig);
    write('web', web());
    await shows('ready');
    write('web', 'address: [\n');
    const { body: check } = await rig.daemon.api('GET', '/v1/configuration/check');
    assert.equal(check.ok, false);
    assert.match(check.results[0].message, /services\/web\.yaml:\d+:\d+/);
    assert.deepEqual(await answers(rig, client, vip, 30), new Set([String(one.vmid), String(other.vmid)]));
    const { body: doctor } = await rig.daemon.api('GET', '/v1/doctor');
    assert.ok(doctor.checks.some(({ message }: { message: string }) => /services\/web\.yaml.*its last good version serves/.test(message)));
    rig.daemon.remove('services/web.yaml');
    await until('the agent has no service', async () => (await rig.node.agent.frontends()).length === 0);
    assert.equal((await rig.daemon.api('GET', '/v1/services/web')).body.code, 'SERVICE_UNKNOWN');
  });

  it('with an address that is somebody’s are refused with whose it is, and do the others no harm', async () => {
    const [one, , client] = await started(rig);
    write('web', web());
    write('mine', web({ address: await rig.address(one) }));
    write('node', web({ address: rig.node.address }));
    write('range', web({ address: '10.201.1.254' }));
    write('six', web({ address: 'fd00:96::1' }));
    await shows('ready');
    assert.match((await shows('refused', 'mine')).message, new RegExp(`is the address of container ${one.vmid}`));
    assert.match((await shows('refused', 'node')).message, /is an address of this node|Cilium knows/);
    assert.match((await shows('refused', 'six')).message, /does not carry/);
    assert.match((await shows('refused', 'range')).message, /10\.201\.1\.0\/24/);
    assert.equal((await answers(rig, client, vip, 30)).size, 2);
  });

  it('do not take a policy that keeps the node out for a dead backend', async () => {
    await started(rig);
    write('web', web());
    await shows('ready');
    const spec = {
      endpointSelector: { matchLabels: { network: 'web' } },
      ingress: [{ fromEndpoints: [{ matchLabels: { app: 'nobody' } }] }],
    };
    const policy = { apiVersion: 'cilium.io/v2', kind: 'CiliumNetworkPolicy', metadata: { name: 'nobody' }, spec };
    rig.daemon.write('policies/nobody.yaml', JSON.stringify(policy));
    try {
      const [first] = (await show()).backends;
      await until('the node is kept out', async () => {
        const { exitCode } = await execa('curl', ['-s', '--max-time', '1', `http://${first?.address}:8080/`], { reject: false });
        return exitCode === 28;
      });
      // several intervals of one second
      await execa('sleep', ['4']);
      assert.equal((await show()).state, 'ready');
    } finally {
      rig.daemon.remove('policies/nobody.yaml');
    }
  });

  it('serve on while the agent or the service is away, and are whole again when it is back', async () => {
    const [, , client] = await started(rig);
    write('web', web());
    await shows('ready');
    await rig.node.killAgent();
    await shows('unavailable');
    assert.equal((await answers(rig, client, vip, 20)).size, 2);
    await rig.node.startAgent();
    await shows('ready');
    await rig.daemon.kill9();
    await rig.daemon.start();
    // what the new service finds is what the old one left: no moment without backends
    for (let n = 0; n < 10; n++) assert.equal((await answers(rig, client, vip, 1)).size, 1);
    await shows('ready');
    assert.equal((await answers(rig, client, vip, 30)).size, 2);
  });

  it('are put right when somebody breaks the agent’s file by hand', async () => {
    const [, , client] = await started(rig);
    write('web', web());
    await shows('ready');
    writeFileSync(rig.node.paths.services, 'services: [ {\n');
    await until('the file is ours again', async () => (await execa('cat', [rig.node.paths.services])).stdout.includes(vip));
    await shows('ready');
    writeFileSync(rig.node.paths.services, '');
    await until('the file is ours again', async () => (await execa('cat', [rig.node.paths.services])).stdout.includes(vip));
    await shows('ready');
    assert.equal((await answers(rig, client, vip, 30)).size, 2);
  });
});

describe('services on IPv6', function () {
  this.timeout(120_000);
  const rig = useCilium({ files, ipv6: true });
  afterEach(() => {
    for (const name of ['web6', 'four']) rig.daemon.remove(`services/${name}.yaml`);
  });

  it('have the backends’ IPv6 addresses, and are balanced beside those on IPv4', async () => {
    const [one, other, client] = await started(rig);
    rig.daemon.write('services/web6.yaml', web({ address: 'fd00:96::10' }));
    rig.daemon.write('services/four.yaml', web());
    const view = await stateOf(rig, 'web6', 'ready', 20);
    assert.ok(view.backends.every(({ address }) => address.includes(':')));
    await stateOf(rig, 'four', 'ready', 20);
    for (const address of ['[fd00:96::10]', vip])
      assert.deepEqual(await answers(rig, client, address, 30), new Set([String(one.vmid), String(other.vmid)]), address);
    await stopServing(one);
    await stateOf(rig, 'web6', 'degraded', 8);
    assert.deepEqual(await answers(rig, client, '[fd00:96::10]', 20), new Set([String(other.vmid)]));
  });
});

/** Web servers on the network `web`, and a client. */
async function started(rig: CiliumRig, count = 2): Promise<[Container, Container, Container]> {
  const backends = [];
  for (let n = 0; n < count; n++) backends.push(await rig.container({ interfaces: [{ name: 'eth0', network: 'web' }] }));
  const client = await rig.container({ interfaces: [{ name: 'eth0', network: 'pods' }] });
  for (const one of [...backends, client]) await one.start();
  for (const one of backends) await serve(one);
  return [backends[0] as Container, (backends[1] ?? backends[0]) as Container, client];
}

/** Loopback is up, as every distribution's init has it. */
async function serve({ vmid, exec }: Container): Promise<void> {
  await exec([
    'sh',
    '-c',
    `ip link set lo up; mkdir -p /www; echo ${vmid} > /www/index.html; (exec busybox httpd -f -p 8080 -h /www >/dev/null 2>&1) & echo $! > /httpd.pid`,
  ]);
}

async function stopServing({ exec }: Container): Promise<void> {
  await exec(['sh', '-c', 'kill -9 $(cat /httpd.pid)']);
}

/** Who answered, of so many questions. */
async function answers(rig: CiliumRig, { vmid }: Container, address: string, count: number): Promise<Set<string>> {
  const loop = 'for n in $(seq $0); do curl -s --globoff --max-time 2 http://$1/ || echo nobody; done';
  const { stdout } = await execa('nsenter', [`--net=${rig.daemon.netnsDir}/ct${vmid}`, 'sh', '-c', loop, String(count), address]);
  return new Set(stdout.trim().split('\n'));
}

const scripts: { kill(): boolean }[] = [];

/** A script of Node in a container's network. */
function inside(rig: CiliumRig, { vmid }: Container, script: string) {
  const child = execa('nsenter', [`--net=${rig.daemon.netnsDir}/ct${vmid}`, process.execPath, '-e', script], { reject: false });
  scripts.push(child);
  return child;
}

async function stateOf(rig: CiliumRig, name: string, state: ServiceView['state'], seconds: number): Promise<ServiceView> {
  let view: ServiceView | undefined;
  await until(
    `service ${name} is ${state}`,
    async () => {
      view = (await rig.daemon.api('GET', `/v1/services/${name}`)).body;
      return view?.state === state;
    },
    seconds,
  ).catch((error) => assert.fail(`${error.message}: ${JSON.stringify(view)}`));
  return view as ServiceView;
}
