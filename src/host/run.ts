import { failure } from '../model/errors.ts';
import type { Trace } from '../model/operation.ts';
import type { Execute } from './execute.ts';

export interface RunOptions {
  /** text for stdin */
  input?: string;
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** Runs a system tool without a shell and gives its stdout.
 *  @throws InterfaceError TOOL_FAILED with argv and stderr, TOOL_MISSING */
export type Run = (argv: readonly [string, ...string[]], options?: RunOptions) => Promise<string>;

/** all that tools are given */
export const toolEnvironment = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };

/** more than any list of a node's links or rules */
const maxStdoutBytes = 64 * 1024 * 1024;

export function createRun(trace: Trace, execute: Execute): Run {
  return (argv, options = {}) => trace(`tool:${argv[0]}`, () => runTool(execute, argv, options));
}

async function runTool(execute: Execute, argv: readonly [string, ...string[]], options: RunOptions): Promise<string> {
  const { input = '', timeoutMs = 10_000, signal } = options;
  const [path, ...args] = argv;
  const outcome = await execute({ path, args, env: toolEnvironment, stdin: input, timeoutMs, signal, maxStdoutBytes });
  if (outcome.how === 'exited' && outcome.exitCode === 0) return outcome.stdout.toString();
  if (outcome.how === 'unstarted' && outcome.reason === 'ENOENT')
    throw failure('TOOL_MISSING', `cannot run ${path}: it is not installed`, { argv });
  const stderr = outcome.how === 'unstarted' ? '' : outcome.stderr.toString().slice(0, 2048);
  throw failure('TOOL_FAILED', `${argv.join(' ')} failed: ${stderr.trim() || reasonOf(outcome, timeoutMs)}`, {
    argv,
    exitCode: outcome.how === 'exited' ? outcome.exitCode : null,
    stderr,
  });
}

function reasonOf(outcome: Awaited<ReturnType<Execute>>, timeoutMs: number): string {
  switch (outcome.how) {
    case 'exited':
      return outcome.signal ? `it was killed by ${outcome.signal}` : `it ended with exit code ${outcome.exitCode}`;
    case 'unstarted':
      return `it cannot be executed (${outcome.reason})`;
    case 'timeout':
      return `no answer in ${timeoutMs} ms`;
    case 'aborted':
      return 'it was given up';
    case 'flooded':
      return 'it printed too much';
  }
}
