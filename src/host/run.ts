import { execa } from 'execa';
import { failure } from '../model/errors.ts';
import type { Trace } from '../model/operation.ts';

export interface RunOptions {
  /** text for stdin */
  input?: string;
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** Runs a system tool without a shell and gives its stdout.
 *  @throws InterfaceError TOOL_FAILED with argv and stderr, TOOL_MISSING */
export type Run = (argv: readonly [string, ...string[]], options?: RunOptions) => Promise<string>;

const toolPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function createRun(trace: Trace): Run {
  return (argv, options = {}) => trace(`tool:${argv[0]}`, () => runTool(argv, options));
}

async function runTool(argv: readonly [string, ...string[]], options: RunOptions): Promise<string> {
  const [file, ...args] = argv;
  const result = await execa(file, args, {
    // what is not needed is not made: streams for an empty stdin, a handler of our own end for each child
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
    cleanup: false,
    timeout: options.timeoutMs ?? 10_000,
    killSignal: 'SIGKILL',
    ...(options.signal && { cancelSignal: options.signal }),
    env: { PATH: toolPath, LC_ALL: 'C' },
    extendEnv: false,
    reject: false,
    stripFinalNewline: false,
  });
  if (!result.failed) return result.stdout;
  const context = { argv, exitCode: result.exitCode, stderr: String(result.stderr ?? '').slice(0, 2048) };
  if (result.code === 'ENOENT') throw failure('TOOL_MISSING', `cannot run ${file}: it is not installed`, context);
  const why = result.timedOut ? `no answer in ${options.timeoutMs ?? 10_000} ms` : context.stderr.trim() || result.shortMessage;
  throw failure('TOOL_FAILED', `${argv.join(' ')} failed: ${why}`, context, result.cause);
}
