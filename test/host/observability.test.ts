import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { execa } from 'execa';
import type { OperationView } from '../../src/model/api.ts';
import { freePort } from '../support/free-port.ts';
import type { Container } from '../support/lxc.ts';
import { createCollector } from '../support/otlp-collector.ts';
import { startPrometheus } from '../support/prometheus.ts';
import { skip } from '../support/skip.ts';
import { ping, useRig, web } from './lifecycle/rig.ts';

const shaped = {
  cniVersion: '1.0.0',
  name: 'shaped',
  plugins: [
    {
      type: 'bridge',
      bridge: 'cniobs0',
      isGateway: true,
      ipam: { type: 'host-local', dataDir: '/run/pve-cni-test-shaped', subnet: '10.71.0.0/24' },
    },
    { type: 'bandwidth', ingressRate: 1e9, ingressBurst: 1e9, egressRate: 1e9, egressBurst: 1e9 },
  ],
};
const scripted = { cniVersion: '1.0.0', name: 'scripted', plugins: [{ type: 'a' }, { type: 'b' }] };

describe('what the service shows of itself', () => {
  let metricsPort: number;
  let collector: Awaited<ReturnType<typeof createCollector>>;
  const rig = useRig({
    files: {
      ...web,
      'networks/shaped.conflist': JSON.stringify(shaped),
      'networks/scripted.conflist': JSON.stringify(scripted),
    },
    scripted: ['a', 'b'],
    // the plugin's own bridge
    ignore: /cniobs0/,
    async prepare({ dir }) {
      metricsPort = await freePort();
      collector = await createCollector();
      const file = `${dir}/pve-cnid.yaml`;
      const settings = {
        ...JSON.parse(readFileSync(file, 'utf8')),
        metrics: { listen: `127.0.0.1:${metricsPort}` },
        tracing: { otlp: collector.url },
      };
      writeFileSync(file, JSON.stringify(settings));
    },
    async cleanUp() {
      collector.stop();
      await execa('ip', ['link', 'delete', 'cniobs0'], { reject: false });
      await execa('rm', ['-rf', '/run/pve-cni-test-shaped']);
    },
  });

  const page = async () => String((await rig.daemon.api('GET', '/metrics')).body);
  /** value of a series of a container; labels of vmid and network need not be said */
  const counter = async ({ vmid }: Container, name: string) =>
    Number(new RegExp(`^pve_cni_interface_${name}_total\\{[^}]*vmid="${vmid}"[^}]*\\} (\\d+)$`, 'm').exec(await page())?.[1]);
  const only = async (container: Container, kind: string): Promise<OperationView> => {
    const found = (await rig.operations(container)).filter((one) => one.kind === kind);
    assert.equal(found.length, 1, `one ${kind}`);
    return found[0] as OperationView;
  };

  it('metrics are the same page on the socket and on the address that is configured, and promtool finds nothing wrong', async function () {
    const container = await rig.container();
    await container.start();
    const response = await fetch(`http://127.0.0.1:${metricsPort}/metrics`);
    assert.equal(response.status, 200);
    const names = (text: string) => [...text.matchAll(/^# TYPE (\S+ \S+)$/gm)].map((match) => match[1]).sort();
    const [overTcp, overSocket] = [await response.text(), await page()];
    assert.deepEqual(names(overTcp), names(overSocket));
    assert.match(overSocket, /^pve_cni_interfaces\{network="web",state="attached"\} 1$/m);
    assert.match(overSocket, /^pve_cni_operation_duration_seconds_count\{[^}]*operation="attach"[^}]*plugin="bridge"[^}]*\} 1$/m);
    assert.equal((await fetch(`http://127.0.0.1:${metricsPort}/v1/status`)).status, 404, 'nothing else is served there');
    const promtool = spawnSync('promtool', ['check', 'metrics'], { input: overSocket, encoding: 'utf8' });
    if (promtool.error) skip(this, 'promtool is not installed (Debian: prometheus)');
    assert.equal(`${promtool.stdout}${promtool.stderr}`, '');
    assert.equal(promtool.status, 0);
  });

  it('counters of an interface grow with the container’s traffic, and end with the attachment', async () => {
    const container = await rig.container();
    await container.start();
    const before = { sent: await counter(container, 'transmit_packets'), received: await counter(container, 'receive_bytes') };
    for (let n = 0; n < 5; n += 1) await ping(container, '10.20.0.1');
    assert.ok((await counter(container, 'transmit_packets')) >= before.sent + 5);
    assert.ok((await counter(container, 'receive_bytes')) >= before.received + 5 * 84);
    await container.stop();
    assert.ok(Number.isNaN(await counter(container, 'transmit_packets')));
  });

  it('counters are those of the container’s own link also where a later plugin adds links of its own', async () => {
    const container = await rig.container({ interfaces: [{ name: 'eth0', network: 'shaped' }] });
    await container.start();
    assert.match((await rig.show(container)).interfaces[0]?.hostInterface ?? '', /^veth/);
    const before = await counter(container, 'receive_packets');
    for (let n = 0; n < 5; n += 1) await ping(container, '10.71.0.1');
    assert.ok((await counter(container, 'receive_packets')) >= before + 5);
  });

  it('a real Prometheus scrapes it and answers queries over it', async function () {
    if (spawnSync('prometheus', ['--version']).error) skip(this, 'prometheus is not installed (Debian: prometheus)');
    const container = await rig.container();
    await container.start();
    rig.daemon.write('networks/bad.yaml', 'type: bridge\nsubnet: 1\n');
    await rig.daemon.reconciled();
    const prometheus = await startPrometheus(`127.0.0.1:${metricsPort}`);
    try {
      assert.equal(await prometheus.query('up{job="pve-cni"} == 1'), '1');
      assert.equal(await prometheus.query('pve_cni_interfaces{network="web",state="attached"}'), '1');
      assert.equal(await prometheus.query('pve_cni_addresses{network="web",family="ipv4",state="reserved"}'), '1');
      assert.equal(await prometheus.query('pve_cni_debts'), '0');
      assert.equal(await prometheus.query('pve_cni_config_errors_total{object="networks/bad.yaml"}'), '1');
      assert.equal(await prometheus.query(`count(pve_cni_interface_receive_bytes_total{vmid="${container.vmid}",ifname="eth0"})`), '1');
    } finally {
      await prometheus.stop();
      rig.daemon.remove('networks/bad.yaml');
    }
  });

  it('the trace of the hook is the operation’s, the plugins’ and the collector’s, with the parent that the hook named', async () => {
    const container = await rig.container({ interfaces: [{ name: 'eth0', network: 'scripted' }] });
    await container.start();
    const operation = await only(container, 'attach');
    assert.equal(operation.door, 'lxc-hook');

    const span = (name: string) => operation.spans.find((one) => one.name === name);
    const adds = rig.plugins.calls().filter(({ verb }) => verb === 'ADD');
    for (const { plugin, env } of adds)
      assert.equal(
        env.TRACEPARENT,
        `00-${operation.traceId}-${span(`plugin:${plugin}:ADD`)?.id}-01`,
        `plugin ${plugin} works below its own span`,
      );
    assert.deepEqual(
      adds.map(({ plugin }) => plugin),
      ['a', 'b'],
    );

    const collected = await collector.trace(operation.traceId, operation.id);
    const root = collected.find(({ name }) => name === 'attach');
    // only a traceparent of the same trace that came in gives the root a parent
    assert.match(root?.parentSpanId ?? '', /^[0-9a-f]{16}$/);
    assert.deepEqual(collected.map(({ name }) => name).sort(), ['attach', ...operation.spans.map(({ name }) => name)].sort());
    assert.equal(collected.find(({ name }) => name === 'queue')?.parentSpanId, root?.spanId);
  });

  it('operation show --trace draws the hook, its queue and its plugins, each where its time went', async () => {
    const container = await rig.container({ interfaces: [{ name: 'eth0', network: 'scripted' }] });
    await container.start();
    const { id } = await only(container, 'attach');
    const { exitCode, stdout } = await rig.daemon.cli('operation', 'show', id, '--trace');
    assert.equal(exitCode, 0);
    const lines = stdout.split('\n');
    const at = (name: string) => lines.findIndex((line) => new RegExp(`(^|[ ─-])${name} `).test(line));
    const order = ['attach', 'queue', 'step:pin', 'step:attach', 'journal:intent', 'plugin:a:ADD', 'plugin:b:ADD', 'journal:attached'].map(
      at,
    );
    assert.ok(!order.includes(-1), stdout);
    assert.deepEqual(
      order,
      [...order].sort((one, other) => one - other),
    );
    assert.match(lines[at('plugin:b:ADD')] ?? '', /\d+(\.\d+)? ms/);
  });

  it('every line of the log about an operation carries its id and its trace', async () => {
    const container = await rig.container({ interfaces: [{ name: 'eth0', network: 'scripted' }] });
    rig.plugins.script('b', 'ADD', ['exit 1'], '{"cniVersion":"1.0.0","code":100,"msg":"scripted to fail"}');
    await rig.refused(container);
    rig.plugins.unscript('b', 'ADD');
    const operation = await only(container, 'attach');
    assert.equal(operation.outcome, 'refused');
    const lines = rig.daemon
      .log()
      .split('\n')
      .filter((line) => line.includes(`"vmid":${container.vmid}`))
      .map((line) => JSON.parse(line));
    const ours = lines.filter((line) => line.operation === operation.id);
    assert.deepEqual(
      ours.map((line) => line.msg),
      ['attach failed; undone', operation.message],
    );
    const known = new Map((await rig.operations(container)).map(({ id, traceId }) => [id, traceId]));
    for (const line of lines) if (known.has(line.operation)) assert.equal(line.trace, known.get(line.operation));
    for (const line of lines) assert.ok(line.operation, `a line without its operation: ${JSON.stringify(line)}`);
  });
});
