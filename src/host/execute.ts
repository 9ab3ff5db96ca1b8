import { type ChildProcess, spawn } from 'node:child_process';

export interface Execution {
  path: string;
  args?: readonly string[];
  /** the whole environment; nothing of ours is added */
  env: Record<string, string>;
  stdin: string;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  /** more than a plugin may say, for tools that list */
  maxStdoutBytes?: number;
}

/** Runs a program to its end; see `execute`. Never rejects. */
export type Execute = (execution: Execution) => Promise<Outcome>;

export interface Output {
  stdout: Buffer;
  stderr: Buffer;
}

/** How a process ended. All but `unstarted` have waited for its end. */
export type Outcome =
  | ({ how: 'exited'; exitCode: number | null; signal: string | null } & Output)
  | ({ how: 'timeout' | 'aborted' | 'flooded' } & Output)
  | { how: 'unstarted'; reason: string };

/** bytes after which a process is killed for talking too much */
const pluginStdoutBytes = 1024 * 1024;
const pluginStderrBytes = 64 * 1024;
/** how long pipes may stay open behind a process that has ended, ms */
const pipeGraceMs = 200;
/** how long a killed process may take to end, ms; only one that hangs in the kernel takes longer */
const killGraceMs = 2000;
/** a binary that is being written (libcni waits likewise), ms */
const busyRetryMs = 100;

/** Runs a program in a process group of its own, without a shell. At the deadline, at an abort and past the limits of
 *  output the whole group is killed. */
export async function execute(execution: Execution, onStart: (pid: number) => void = () => {}): Promise<Outcome> {
  const until = performance.now() + execution.timeoutMs;
  for (;;) {
    const left = until - performance.now();
    const outcome = await executeOnce({ ...execution, timeoutMs: Math.max(left, 1) }, onStart);
    if (outcome.how !== 'unstarted' || outcome.reason !== 'ETXTBSY' || left < busyRetryMs || execution.signal?.aborted) return outcome;
    await new Promise((resolve) => setTimeout(resolve, busyRetryMs));
  }
}

function executeOnce(execution: Execution, onStart: (pid: number) => void): Promise<Outcome> {
  const { path, args = [], env, stdin, timeoutMs, signal, maxStdoutBytes = pluginStdoutBytes } = execution;
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve({ how: 'aborted', stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) });
    let child: ChildProcess;
    try {
      child = spawn(path, args, { detached: true, env, cwd: '/', stdio: 'pipe' });
    } catch (error) {
      // Node throws instead of emitting for some errors (EACCES, ENOMEM, EAGAIN on some versions)
      return resolve({ how: 'unstarted', reason: codeOf(error) });
    }
    if (child.pid !== undefined) onStart(child.pid);
    const out = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
    let ended: { exitCode: number | null; signal: string | null } | undefined;
    let killed: 'timeout' | 'aborted' | 'flooded' | undefined;
    let grace: NodeJS.Timeout | undefined;

    const killGroup = () => child.pid && killGroupOf(child.pid);
    const finish = () => {
      clearTimeout(deadline);
      clearTimeout(grace);
      signal?.removeEventListener('abort', abort);
      child.stdout?.destroy();
      child.stderr?.destroy();
      const output = { stdout: Buffer.concat(out.stdout), stderr: Buffer.concat(out.stderr) };
      if (killed) resolve({ how: killed, ...output });
      else resolve({ how: 'exited', exitCode: ended?.exitCode ?? null, signal: ended?.signal ?? null, ...output });
    };
    const stop = (why: 'timeout' | 'aborted' | 'flooded') => {
      // a plugin that has ended has done its work: only its pipes are still open, and their grace is running
      if (killed || (ended && why !== 'flooded')) return;
      killed = why;
      if (ended) return;
      killGroup();
      grace = setTimeout(finish, killGraceMs);
    };
    const abort = () => stop('aborted');
    const deadline = setTimeout(() => stop('timeout'), timeoutMs);
    signal?.addEventListener('abort', abort);

    for (const [name, limit] of [['stdout', maxStdoutBytes] as const, ['stderr', pluginStderrBytes] as const]) {
      let size = 0;
      child[name]?.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size <= limit) out[name].push(chunk);
        else stop('flooded');
      });
    }
    child.on('error', (error) => {
      // after a start only kill() can fail, and that does not end the process
      if (child.pid !== undefined) return;
      clearTimeout(deadline);
      signal?.removeEventListener('abort', abort);
      resolve({ how: 'unstarted', reason: codeOf(error) });
    });
    child.on('exit', (exitCode, exitSignal) => {
      ended = { exitCode, signal: exitSignal };
      clearTimeout(deadline);
      clearTimeout(grace);
      // children that inherited the pipes must not hold us; group and pid stay reserved as long as one of them lives
      grace = setTimeout(() => {
        killGroup();
        finish();
      }, pipeGraceMs);
    });
    child.on('close', finish);
    // a plugin may end without reading its configuration
    child.stdin?.on('error', () => {});
    child.stdin?.end(stdin);
  });
}

/** Ends a process and all that it started in its group. */
export function killGroupOf(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // nobody left in the group
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
