import { type ChildProcess, fork } from 'node:child_process';
import { type Execute, killGroupOf, type Outcome } from './execute.ts';
import type { Order, Report } from './launcher-process.ts';

/** Starts programs from a small process of its own. Node starts children by fork(), which copies the page tables of the
 *  whole process and makes each of its pages fault again: some 55 µs for each MB of heap here, 5 ms a plugin from the
 *  service itself and 1 ms from a process that holds nothing (docs/performance.md). */
export interface Launcher {
  execute: Execute;
  /** Ends the process once what runs has ended. */
  stop(): void;
}

interface Running {
  resolve(outcome: Outcome): void;
  pid: number | null;
}

/** `file`: launcher-process.ts, or its bundle. The process is made at the first use, and again after it died. */
export function createLauncher(file: string): Launcher {
  const running = new Map<number, Running>();
  let helper: ChildProcess | null = null;
  let counter = 0;

  function start(): ChildProcess {
    // a source needs what this process loads sources with
    const execArgv = file.endsWith('.ts') ? process.execArgv : [];
    const child = fork(file, [], { execArgv, serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    child.on('message', (report: Report) => settle(report));
    child.on('error', () => lost(child));
    child.on('exit', () => lost(child));
    return child;
  }

  function settle(report: Report): void {
    const one = running.get(report.id);
    if (!one) return;
    if ('pid' in report) one.pid = report.pid;
    else finish(report.id, one, withBuffers(report.outcome));
  }

  function finish(id: number, one: Running, outcome: Outcome): void {
    running.delete(id);
    hold();
    one.resolve(outcome);
  }

  /** INVARIANT: what a dead launcher ran has ended when this returns. */
  function lost(child: ChildProcess): void {
    if (helper !== child) return;
    helper = null;
    for (const [id, one] of running) {
      if (one.pid !== null) killGroupOf(one.pid);
      const nothing = Buffer.alloc(0);
      finish(id, one, { how: 'exited', exitCode: null, signal: 'SIGKILL', stdout: nothing, stderr: nothing });
    }
  }

  /** The service lives on for what runs, not for an idle launcher. */
  function hold(): void {
    helper?.[running.size > 0 ? 'ref' : 'unref']();
    helper?.channel?.[running.size > 0 ? 'ref' : 'unref']();
  }

  return {
    execute({ signal, ...execution }) {
      if (signal?.aborted) return Promise.resolve({ how: 'aborted', stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) });
      helper ??= start();
      counter += 1;
      const id = counter;
      const tell = (order: Order) => helper?.send(order, () => {});
      return new Promise<Outcome>((resolve) => {
        const abort = () => tell({ id, abort: true });
        const settled = (outcome: Outcome) => {
          signal?.removeEventListener('abort', abort);
          resolve(outcome);
        };
        running.set(id, { resolve: settled, pid: null });
        hold();
        signal?.addEventListener('abort', abort, { once: true });
        tell({ id, execution });
      });
    },
    stop() {
      helper?.disconnect();
      helper = null;
    },
  };
}

/** Structured clones of buffers are plain arrays of bytes. */
function withBuffers(outcome: Outcome): Outcome {
  if (outcome.how === 'unstarted') return outcome;
  return { ...outcome, stdout: Buffer.from(outcome.stdout), stderr: Buffer.from(outcome.stderr) };
}
