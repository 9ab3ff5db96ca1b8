import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { until } from '../support/until.ts';

/** A Debian 13 root that a test works in, one command after the other: test/support/debian-root.sh, held open. */
export interface Root {
  /** Runs a script and gives what it prints. @throws with the end of its output when it fails */
  sh(script: string, seconds?: number): Promise<string>;
  /** The same for one that may fail. */
  attempt(script: string, seconds?: number): Promise<{ status: number; output: string }>;
  /** Starts a program that goes on; ends with the root at the latest. */
  background(script: string): Background;
  /** a file's text */
  read(path: string): Promise<string>;
  /** Writes a text, making folders. */
  write(path: string, text: string): Promise<void>;
  close(): Promise<void>;
}

export interface Background {
  output(): string;
  stop(signal: 'TERM' | 'INT'): Promise<void>;
}

interface Options {
  /** what the root writes is kept here, for another root to go on from */
  upper: string;
  /** paths of this machine → paths inside */
  binds: Record<string, string>;
  /** whether it has this machine's network, to install things; else it has one of its own */
  online: boolean;
}

/** Reaps what daemons leave, as an init does. */
const firstProcess = 'echo in; while :; do sleep infinity & wait $!; done';

const cache = join(process.cwd(), '.cache/roots');

export async function openRoot({ upper, binds, online }: Options): Promise<Root> {
  const bindings = Object.entries(binds).flatMap(([outer, inner]) => ['-b', `${outer}:${inner}`]);
  const argv = ['-r', 'trixie', '-u', upper, ...(online ? ['-n'] : []), ...bindings, 'bash', '-c', firstProcess];
  const holder = spawn('bash', ['test/support/debian-root.sh', ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [holder.stdout, holder.stderr])
    stream.on('data', (chunk) => {
      said += chunk;
    });
  // the root itself may have to be made first
  await until(
    'the root is entered',
    () => {
      if (holder.exitCode !== null) throw new Error(`the root ended: ${said}`);
      return said.endsWith('in\n');
    },
    600,
  );
  const inner = Number(readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8').trim().split(' ')[0]);
  const enter = ['--target', String(inner), '--mount', '--pid', '--net', '--root', '--wd'];
  const env = {
    HOME: '/root',
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LC_ALL: 'C.UTF-8',
    DEBIAN_FRONTEND: 'noninteractive',
  };
  const proxies = Object.fromEntries(Object.entries(process.env).filter(([name]) => /_proxy$|^npm_config|CERT|_CA_/i.test(name)));
  const everything = { ...proxies, ...env };

  const attempt = async (script: string, seconds = 60) => {
    const { exitCode, all, timedOut } = await execa('nsenter', [...enter, 'bash', '-euo', 'pipefail', '-c', script], {
      env: everything,
      extendEnv: false,
      all: true,
      reject: false,
      stdin: 'ignore',
      timeout: seconds * 1000,
      forceKillAfterDelay: 1000,
    });
    return { status: timedOut ? 124 : (exitCode ?? 1), output: all };
  };
  const sh = async (script: string, seconds?: number) => {
    const { status, output } = await attempt(script, seconds);
    if (status !== 0) throw new Error(`${script}\nended with ${status}:\n${output.split('\n').slice(-30).join('\n')}`);
    return output;
  };
  const children: ChildProcess[] = [];

  return {
    attempt,
    sh,
    background(script) {
      const number = children.length;
      const file = join(upper, `background-${number}`);
      const log = openSync(file, 'w');
      const whole = `echo $$ > /run/background-${number}; exec 2>&1; exec ${script}`;
      const child = spawn('nsenter', [...enter, 'bash', '-c', whole], { env: everything, stdio: ['ignore', log, log] });
      closeSync(log);
      children.push(child);
      return {
        output: () => readFileSync(file, 'utf8'),
        async stop(signal) {
          await sh(`kill -${signal} "$(cat /run/background-${number})"`);
          await until(`${script} ends`, () => child.exitCode !== null || child.signalCode !== null, 60);
        },
      };
    },
    read: (path) => sh(`cat ${path}`),
    async write(path, text) {
      await execa('nsenter', [...enter, 'sh', '-c', `mkdir -p "$(dirname ${path})" && cat > ${path}`], { input: text });
    },
    async close() {
      for (const child of children) if (child.exitCode === null) child.kill('SIGKILL');
      // every process of the root is in its pid namespace, which ends with its first
      process.kill(inner, 'SIGKILL');
      await until('the root is left', () => holder.exitCode !== null || holder.signalCode !== null, 60);
    },
  };
}

/** A folder for what roots of one test write; and the one where apt keeps what it has fetched. */
export function rootFolders(name: string): { upper: string; archives: string; remove(): void } {
  const upper = join(cache, name);
  const archives = join(cache, 'trixie-apt');
  rmSync(upper, { recursive: true, force: true });
  for (const folder of [upper, archives]) mkdirSync(folder, { recursive: true });
  return { upper, archives, remove: () => rmSync(upper, { recursive: true, force: true }) };
}
