import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { until } from './until.ts';

/** A real Prometheus that scrapes one address every second. */
export interface Prometheus {
  /** The value of the first series that the query finds, once it finds one. */
  query(promql: string): Promise<string>;
  stop(): Promise<void>;
}

export async function startPrometheus(target: string): Promise<Prometheus> {
  const folder = mkdtempSync(join(tmpdir(), 'pve-cni-prometheus-'));
  const config = join(folder, 'prometheus.yml');
  const job = { job_name: 'pve-cni', scrape_interval: '1s', static_configs: [{ targets: [target] }] };
  writeFileSync(config, JSON.stringify({ scrape_configs: [job] })); // YAML takes JSON as it is
  const port = await freePort();
  const child = spawn(
    'prometheus',
    [`--config.file=${config}`, `--storage.tsdb.path=${join(folder, 'data')}`, `--web.listen-address=127.0.0.1:${port}`],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let log = '';
  child.stderr.on('data', (chunk) => {
    log += chunk;
  });
  return {
    query: (promql) =>
      until(
        `prometheus to answer ${promql}`,
        async () => {
          if (child.exitCode !== null) throw new Error(`prometheus ended:\n${log.slice(-2000)}`);
          const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(promql)}`;
          const response = await fetch(url).catch(() => null);
          const answer = (await response?.json().catch(() => null)) as { data?: { result?: { value: [number, string] }[] } } | null;
          return answer?.data?.result?.[0]?.value[1];
        },
        30,
      ),
    async stop() {
      if (child.exitCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
      rmSync(folder, { recursive: true });
    },
  };
}
