import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type Benchmark, figure, inTurn, percentile } from './figures.ts';
import { createSeeded } from './seeded.ts';
import { attachAndDetach } from './sides.ts';

const idle =
  "await import('express'); const { default: Database } = await import('better-sqlite3'); new Database(':memory:'); console.log('ready'); setInterval(() => {}, 1e6)";

/** Resident memory of the service with 1,000 attachments in the store, after reconciles and while it answers hooks, against
 *  a Node process that has Express and better-sqlite3 loaded and does nothing. The highest of the samples. */
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
          measured.ours.push(residentMegabytes(seeded.daemon.pid()));
        },
        async () => void measured.bare.push(residentMegabytes(bare.pid ?? 0)),
      );
      return [figure('service.rss', 'MB', percentile(measured.ours, 100), percentile(measured.bare, 100), runs)];
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

function residentMegabytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}
