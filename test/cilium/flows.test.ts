import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import type { FlowLine, FlowsView, FlowView } from '../../src/model/flow-api.ts';
import type { Container } from '../support/lxc.ts';
import { skip } from '../support/skip.ts';
import { until } from '../support/until.ts';
import { reaches, useCilium } from './rig.ts';
import { usePolicies } from './use-policies.ts';

describe('flows on Cilium', () => {
  const rig = useCilium();
  const apply = usePolicies(rig);
  const followers: Follower[] = [];

  afterEach(async () => {
    for (const follower of followers.splice(0)) await follower.end();
  });

  /** The real command, following. */
  async function follow(...options: string[]): Promise<Follower> {
    const child = spawn(process.execPath, ['dist/pve-cni.mjs', '--socket', rig.daemon.socket, 'flows', '-f', '--last', '1', ...options], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const follower = createFollower(child);
    followers.push(follower);
    return follower;
  }

  async function flows(query: string): Promise<FlowsView> {
    const { status, body } = await rig.daemon.api('GET', `/v1/flows?${query}`);
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  }

  /** Hubble tells of a flow within moments: the first that is as wanted. */
  const flow = (query: string, wanted: (flow: FlowView) => boolean) =>
    until('the flow is there', async () => (await flows(`limit=500&${query}`)).flows.find(wanted), 15);

  async function two(): Promise<[Container, Container, string]> {
    const one = await rig.container({ file: { labels: { app: 'web' } } });
    const other = await rig.container({ file: { labels: { app: 'db' } } });
    await one.start();
    await other.start();
    return [one, other, await rig.address(other)];
  }

  it('an allowed ping is a forwarded flow with both containers', async () => {
    const [one, other, address] = await two();
    assert.equal(await reaches(one, address), true);
    const { from, to, protocol, verdict, detail } = await flow(`container=${one.vmid}`, ({ to }) => to.vmid === other.vmid);
    assert.deepEqual(
      { verdict, protocol, detail, from: [from.kind, from.vmid], to: [to.kind, to.vmid, to.address] },
      {
        verdict: 'forwarded',
        protocol: 'icmp',
        detail: 'echo request',
        from: ['container', one.vmid],
        to: ['container', other.vmid, address],
      },
    );
  });

  it('a denied connection is a dropped flow with port and reason, an allowed one names the policy', async () => {
    const [one, other, address] = await two();
    await apply('only-5432', {
      endpointSelector: { matchLabels: { vmid: String(other.vmid) } },
      ingress: [
        { fromEndpoints: [{ matchLabels: { vmid: String(one.vmid) } }], toPorts: [{ ports: [{ port: '5432', protocol: 'TCP' }] }] },
      ],
    });
    const connect = (port: number) => one.exec(['nc', '-w', '1', address, String(port)]).catch(() => {});
    await connect(22);
    await connect(5432);
    const denied = await flow(`port=22&verdict=dropped&protocol=tcp&direction=ingress`, ({ from }) => from.vmid === one.vmid);
    assert.equal(denied.to.vmid, other.vmid);
    assert.equal(denied.to.port, 22);
    assert.equal(denied.reason, 'no policy allows it');
    const allowed = await flow(`port=5432&verdict=forwarded&container=${other.vmid}`, ({ policies }) => policies.length > 0);
    assert.deepEqual(allowed.policies, ['only-5432']);
    assert.deepEqual((await flows(`port=22&verdict=forwarded&container=${one.vmid}`)).flows, [], 'nothing of it was let through');
    const { body: metrics } = await rig.daemon.api('GET', '/metrics');
    assert.match(metrics, /^pve_cni_policy_verdicts_total\{policy="only-5432",verdict="forwarded"\} [1-9]/m);
    assert.match(metrics, /^pve_cni_flows_dropped_total\{reason="no policy allows it"\} [1-9]/m);
    // LXC’s own names of them, as in their labels
    const { stdout } = await rig.daemon.cli('flows', '--container', `ct${one.vmid}`, '--port', '22');
    const [from, to] = [one, other].map(({ vmid }) => `ct${vmid} \\(${vmid}\\)`);
    assert.match(stdout, new RegExp(`dropped +ingress +tcp +${from} [0-9.]+:\\d+ +${to} ${address}:22 +no policy allows it`));
  });

  it('flows are removed when they are older than retentionDays, which may change while the service runs', async () => {
    const [one, , address] = await two();
    assert.equal(await reaches(one, address), true);
    await flow(`container=${one.vmid}`, () => true);
    rig.daemon.write('settings.yaml', 'releaseAfterHours: 0\nflows: { retentionDays: 0.00001 }\n');
    await until('nothing of it is kept', async () => (await flows(`container=${one.vmid}`)).flows.length === 0);
    rig.daemon.write('settings.yaml', 'releaseAfterHours: 0\n');
    await rig.daemon.reconciled();
    await one.exec(['ping', '-c', '1', '-w', '1', address]);
    await flow(`container=${one.vmid}`, () => true);
  });

  it('the host and the world are named', async () => {
    const [one, , address] = await two();
    await rig.node.run('ping', '-c', '1', '-W', '1', address);
    await one.exec(['ping', '-c', '1', '-w', '1', '10.99.0.1']);
    const fromHost = await flow('protocol=icmp', ({ from, to }) => from.kind === 'host' && to.address === address);
    assert.equal(fromHost.to.kind, 'container');
    const toWorld = await flow(`container=${one.vmid}`, ({ to }) => to.kind === 'world');
    assert.equal(toWorld.to.address, '10.99.0.1');
  });

  it('who follows sees them as they come, goes on after the agent was killed, and is told of the gap', async function () {
    this.timeout(120_000);
    const [one, other, address] = await two();
    const follower = await follow('--json', '--container', String(other.vmid));
    await until('the first flow comes', async () => {
      await reaches(one, address, 1);
      return follower.lines().some((line) => line.type === 'flow' && line.from.vmid === one.vmid);
    });
    await rig.node.killAgent();
    await until('the service noticed', async () => (await status()).hubble !== 'connected');
    assert.equal(await reaches(one, address, 3), true, 'traffic goes on without the agent');
    await rig.node.startAgent();
    await until('Hubble is heard again', async () => (await status()).hubble === 'connected', 60);
    const before = follower.lines().length;
    await until('new flows come to the same follower', async () => {
      await reaches(one, address, 1);
      return follower
        .lines()
        .slice(before)
        .some((line) => line.type === 'flow' && line.to.vmid === other.vmid);
    });
    const gap = follower.lines().find((line) => line.type === 'loss');
    assert.equal(gap?.type === 'loss' && gap.place, 'away');
    assert.ok((await status()).gaps >= 1);
    assert.ok((await flows('limit=1000')).losses.some(({ place, count }) => place === 'away' && count === null));
  });

  it('the service remembers them over its own end, and asks Hubble for what came meanwhile', async function () {
    this.timeout(120_000);
    const [one, other, address] = await two();
    assert.equal(await reaches(one, address), true);
    const kept = await flow(`container=${one.vmid}`, ({ to }) => to.vmid === other.vmid);
    await rig.daemon.kill9();
    await one.exec(['nc', '-w', '1', address, '7777']).catch(() => {});
    await rig.daemon.start();
    assert.equal((await flow(`container=${one.vmid}`, ({ id }) => id === kept.id)).time, kept.time);
    const meanwhile = await flow('port=7777', ({ from }) => from.vmid === one.vmid);
    assert.equal(meanwhile.to.vmid, other.vmid);
  });

  it('a flood of dropped packets raises the count of what is lost, not memory, and does not hold up a start', async function () {
    this.timeout(120_000);
    const [, other, address] = await two();
    const later = await rig.container();
    await apply('nothing', { endpointSelector: { matchLabels: { vmid: String(other.vmid) } }, ingress: [{}] });
    const before = { lost: (await status()).lost, bytes: residentBytes(rig.daemon.pid()) };
    // many processes' worth of datagrams from the host, each of which is dropped and told of
    const flood = `const s = require('dgram').createSocket('udp4');
      const send = () => { for (let i = 0; i < 500; i++) s.send('x', 1024 + Math.floor(Math.random() * 60000), '${address}'); setImmediate(send); };
      s.bind(send); setTimeout(() => process.exit(), 6000);`;
    const flooding = once(spawn(process.execPath, ['-e', flood], { stdio: 'ignore' }), 'exit');
    await until('flows of the flood come', async () => (await flows('protocol=udp&verdict=dropped&limit=1')).flows.length > 0);
    const begin = performance.now();
    await later.start();
    const startMs = performance.now() - begin;
    await flooding;
    const { lost } = await status();
    const grown = residentBytes(rig.daemon.pid()) - before.bytes;
    console.log(`      ${lost - before.lost} lost, ${Math.round(grown / 1024)} KiB more, a start took ${Math.round(startMs)} ms`);
    assert.ok(lost > before.lost, 'what is not seen is counted');
    assert.ok(grown < 64 * 1024 * 1024, `${grown} bytes`);
    assert.ok(startMs < 10_000, `${startMs} ms`);
    assert.ok(
      (await flows('limit=9999')).losses.some(({ count }) => Number(count) > 0),
      'and shown with the flows',
    );
  });

  it('who follows does not keep the service from stopping, and ends with it', async function () {
    this.timeout(60_000);
    const [one, , address] = await two();
    const follower = await follow('--json');
    await until('it follows', async () => {
      await reaches(one, address, 1);
      return follower.lines().length > 1;
    });
    const begin = performance.now();
    await rig.daemon.stop();
    assert.ok(performance.now() - begin < 5000, `${performance.now() - begin} ms`);
    assert.equal(await follower.exitCode(), 0);
    await rig.daemon.start();
  });

  it('the service’s metrics have the agent’s, with the containers of its endpoints, and say when it is away', async function () {
    this.timeout(120_000);
    const [one] = await two();
    const { body: text } = await rig.daemon.api('GET', '/metrics');
    assert.match(text, /^pve_cni_cilium_agent_up 1$/m);
    assert.match(text, /^pve_cni_hubble_up 1$/m);
    assert.match(
      text,
      new RegExp(`^pve_cni_cilium_endpoint_info\\{vmid="${one.vmid}",container="ct${one.vmid}",ifname="eth0",endpoint="\\d+"`, 'm'),
    );
    assert.match(text, /^cilium_endpoint_state\{endpoint_state="ready"\} [1-9]/m);
    assert.doesNotMatch(text, /^(go|process)_/m);
    if (spawnSync('promtool', ['--version']).error) skip(this, 'promtool is not installed (Debian: prometheus)');
    const { stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
    assert.equal(stdout + stderr, '');
    await rig.node.killAgent();
    assert.match((await rig.daemon.api('GET', '/metrics')).body, /^pve_cni_cilium_agent_up 0$/m);
    await rig.node.startAgent();
  });

  it('doctor finds an agent without Hubble', async function () {
    this.timeout(120_000);
    const check = async () =>
      (await rig.daemon.api('GET', '/v1/doctor')).body.checks.find(({ name }: { name: string }) => name === 'flows');
    await until('flows come in', async () => (await check()).state === 'ok');
    const flag = `${rig.node.paths.configDir}/enable-hubble`;
    const restart = async (value: string) => {
      writeFileSync(flag, value);
      await rig.node.stopAgent();
      await rig.node.startAgent();
    };
    await restart('false');
    const found = await until('it is found', async () => ((await check()).state === 'warning' ? await check() : null));
    assert.match(found.message, /hubble\.sock/);
    await restart('true');
    await until('flows come in again', async () => (await check()).state === 'ok', 60);
  });

  const status = async () => (await rig.daemon.api('GET', '/v1/status')).body.flows;
});

function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

interface Follower {
  lines(): FlowLine[];
  exitCode(): Promise<number | null>;
  end(): Promise<void>;
}

function createFollower(child: ChildProcess): Follower {
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return {
    lines: () =>
      text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line)),
    exitCode: async () => child.exitCode ?? (await once(child, 'exit'))[0],
    async end() {
      if (child.exitCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}
