import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type Benchmark, figure, inTurn, percentile } from './figures.ts';
import { createSeeded } from './seeded.ts';
import { attachAndDetach } from './sides.ts';

const idle =
  "await import('express'); const { default: Database } = await import('better-sqlite3'); new Database(':memory:'); console.log('ready'); setInterval(() => {}, 1e6)";

/** Resident memory of the service with 1,000 attachments in the store, after reconciles and while it answers hooks, against
 *  a Node process that has Express and better-sqlite3 loaded and does nothing. The median of the samples, taken
 *  after each start and stop. */
export const serviceRss: Benchmark = {
  figures: ['service.rss'],
  async run(runs) {
    const seeded = await createSeeded(1000);
    const bare = await startIdle();
    try {
      const measured = { ours: [] as number[], bare: [] as number[] };
      await inTurn(
        runs,
        async (run) => {
          if (run % 20 === 0) await seeded.daemon.reconciled();
          await attachAndDetach(seeded.daemon, 1);
          measured.ours.push(serviceMegabytes(seeded.daemon.pid()));
        },
        async () => void measured.bare.push(megabytes(bare.pid ?? 0, 'VmRSS')),
      );
      return [figure('service.rss', 'MB', percentile(measured.ours, 50), percentile(measured.bare, 50), runs)];
    } finally {
      bare.kill('SIGKILL');
      await seeded.end();
    }
  },
};

async function startIdle(): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', idle], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child;
}

/** Both processes of the service: what the small one (host/launcher.ts) shares with the large one is Node's own file. */
export function serviceMegabytes(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  return children.reduce((sum, child) => sum + megabytes(Number(child), 'RssAnon'), megabytes(pid, 'VmRSS'));
}

export function megabytes(pid: number, field: 'VmRSS' | 'RssAnon'): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}
