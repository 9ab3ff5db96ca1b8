import { spawn } from 'node:child_process';
import { failure } from '../model/errors.ts';
import type { Trace } from '../model/operation.ts';
import { killGroupOf } from './execute.ts';
import { toolEnvironment } from './run.ts';

/** Runs a tool without a shell and gives its stdout line by line: for those that print more than anybody wants to hold. Starting is not
 *  the launcher's, which passes on whole outputs.
 *  @throws InterfaceError TOOL_FAILED with argv and stderr, TOOL_MISSING */
export type RunLines = (
  argv: readonly [string, ...string[]],
  take: (line: string) => void,
  options?: { timeoutMs?: number },
) => Promise<void>;

const maxLineBytes = 64 * 1024;
const maxStderrBytes = 2048;

export function createRunLines(trace: Trace): RunLines {
  return (argv, take, { timeoutMs = 60_000 } = {}) => trace(`tool:${argv[0]}`, () => runLines(argv, take, timeoutMs));
}

function runLines([path, ...args]: readonly [string, ...string[]], take: (line: string) => void, timeoutMs: number): Promise<void> {
  const argv = [path, ...args];
  return new Promise((resolve, reject) => {
    const child = spawn(path, args, { detached: true, env: toolEnvironment, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] });
    let rest = '';
    let stderr = '';
    let why: string | null = null;
    const stop = (reason: string) => {
      why ??= reason;
      if (child.pid !== undefined) killGroupOf(child.pid);
    };
    const late = setTimeout(() => stop(`no end in ${timeoutMs} ms`), timeoutMs);
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = `${rest}${chunk}`.split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > maxLineBytes) stop('it printed a line without an end');
      else for (const line of lines) take(line);
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr = `${stderr}${chunk}`.slice(0, maxStderrBytes);
    });
    child.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(late);
      if (error.code === 'ENOENT') reject(failure('TOOL_MISSING', `cannot run ${path}: it is not installed`, { argv }));
      else reject(failure('TOOL_FAILED', `cannot run ${path}: ${error.code ?? error.message}`, { argv }, error));
    });
    child.on('close', (exitCode, signal) => {
      clearTimeout(late);
      if (exitCode === 0 && why === null) {
        if (rest !== '') take(rest);
        return resolve();
      }
      const reason = why ?? (stderr.trim() || (signal ? `it was killed by ${signal}` : `it ended with exit code ${exitCode}`));
      reject(failure('TOOL_FAILED', `${argv.join(' ')} failed: ${reason}`, { argv, exitCode, stderr }));
    });
  });
}
