import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMetricsServer, type MetricsServer } from '../../src/http/metrics-server.ts';
import { createMetrics } from '../../src/observe/metrics.ts';
import { skip } from '../support/skip.ts';
import { until } from '../support/until.ts';

describe('a real Prometheus', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pve-cni-prometheus-'));
  let server: MetricsServer | undefined;
  let prometheus: ChildProcess | undefined;
  let log = '';

  before(function () {
    if (spawnSync('prometheus', ['--version']).error) skip(this, 'prometheus is not installed (Debian: prometheus)');
  });
  after(async () => {
    if (prometheus && prometheus.exitCode === null) {
      const ended = new Promise((done) => prometheus?.once('exit', done));
      prometheus.kill('SIGKILL');
      await ended;
    }
    await server?.stop();
    rmSync(folder, { recursive: true });
  });

  it('scrapes the service’s metrics page and answers queries over it', async () => {
    const metrics = createMetrics({
      source: () => ({
        attachments: [{ vmid: 101, ifname: 'eth0', network: 'web', phase: 'attached', hostInterface: 'lo' }],
        addresses: [],
        pools: [{ network: 'web', family: 'ipv4', size: 241, used: 0 }],
        debts: 2,
        problems: [{ file: 'networks/bad.yaml', error: { message: 'type: missing' } }],
      }),
      version: '1.2.3',
    });
    server = createMetricsServer({ listen: '127.0.0.1:0', metrics: metrics.render });
    const port = await startPrometheus((await server.start()).port);
    const query = (promql: string) => waitForValue(port, promql);
    assert.equal(await query('up{job="pve-cni"} == 1'), '1');
    assert.equal(await query('pve_cni_interfaces{network="web",state="attached"}'), '1');
    assert.equal(await query('pve_cni_addresses{state="free"}'), '241');
    assert.equal(await query('pve_cni_debts'), '2');
    assert.equal(await query('pve_cni_config_errors_total{object="networks/bad.yaml"}'), '1');
    assert.equal(await query('count(pve_cni_interface_receive_bytes_total{vmid="101",ifname="eth0"})'), '1');
  });

  async function startPrometheus(target: number): Promise<number> {
    const config = join(folder, 'prometheus.yml');
    const job = { job_name: 'pve-cni', scrape_interval: '1s', static_configs: [{ targets: [`127.0.0.1:${target}`] }] };
    writeFileSync(config, JSON.stringify({ scrape_configs: [job] })); // YAML takes JSON as it is
    const port = await freePort();
    prometheus = spawn(
      'prometheus',
      [`--config.file=${config}`, `--storage.tsdb.path=${join(folder, 'data')}`, `--web.listen-address=127.0.0.1:${port}`],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    prometheus.stderr?.on('data', (chunk) => {
      log += chunk;
    });
    return port;
  }

  /** The value of the first series that the query finds, once it finds one. */
  async function waitForValue(port: number, promql: string): Promise<string> {
    const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(promql)}`;
    return until(
      `prometheus to answer ${promql}`,
      async () => {
        if (prometheus?.exitCode !== null) throw new Error(`prometheus ended:\n${log.slice(-2000)}`);
        const response = await fetch(url).catch(() => null);
        const answer = (await response?.json().catch(() => null)) as { data?: { result?: { value: [number, string] }[] } } | null;
        return answer?.data?.result?.[0]?.value[1];
      },
      30,
    );
  }
});

/** A port that was free a moment ago: prometheus cannot be given a socket. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((done) => probe.listen(0, '127.0.0.1', done));
  const { port } = probe.address() as AddressInfo;
  await new Promise((done) => probe.close(done));
  return port;
}
