import type { Command } from 'commander';
import pc from 'picocolors';
import { type Api, createApi } from './api.ts';
import { clean, escaped } from './clean.ts';

/** What a command takes from its process. */
export interface Surroundings {
  stdout: { write(text: string): unknown; isTTY?: boolean; columns?: number };
  stderr: { write(text: string): unknown };
  env: Record<string, string | undefined>;
}

export type Colours = ReturnType<typeof pc.createColors>;

/** What a command works with. */
export interface Context {
  api: Api;
  colours: Colours;
  /** width of the terminal, in characters */
  columns: number;
  /** whether pictures may use more than ASCII */
  unicode: boolean;
  json: boolean;
  /** Prints an answer: the API's JSON with --json, else what `render` makes of it. */
  show<T>(answer: T, render: (answer: T) => string): void;
  /** The same for one line of an answer that has no end. */
  showLine<T>(line: T, render: (line: T) => string): void;
  /** a line for people who wait, on stderr */
  note(line: string): void;
  /** for answers that say that something is wrong: exit code 1 */
  found(): void;
}

export const defaultSocket = '/run/pve-cni/pve-cni.sock';

export function socketOf({ env }: Surroundings, given?: string): string {
  return given ?? (env.PVE_CNI_SOCKET || defaultSocket);
}

/** The context of one call of a command, from its options and those above it. */
export function contextOf(command: Command, { stdout, stderr, env }: Surroundings, setExitCode: (code: number) => void): Context {
  const { json = false, socket } = command.optsWithGlobals<{ json?: boolean; socket?: string }>();
  const coloured = pc.isColorSupported && (stdout.isTTY === true || Boolean(env.FORCE_COLOR));
  const print = (text: string) => stdout.write(text === '' || text.endsWith('\n') ? text : `${text}\n`);
  return {
    api: createApi(socketOf({ stdout, stderr, env }, socket), { door: 'cli', user: env.SUDO_USER || 'root' }),
    colours: pc.createColors(coloured),
    columns: stdout.columns ?? 100,
    unicode: /utf-?8/i.test(env.LC_ALL || env.LC_CTYPE || env.LANG || ''),
    json,
    show: (answer, render) => print(json ? escaped(JSON.stringify(answer, null, 2)) : render(clean(answer))),
    showLine: (line, render) => print(json ? escaped(JSON.stringify(line)) : render(clean(line))),
    note: (line) => {
      if (!json) stderr.write(`${clean(line)}\n`);
    },
    found: () => setExitCode(1),
  };
}
