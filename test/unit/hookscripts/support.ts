import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const source = fileURLToPath(new URL('../../../hookscripts', import.meta.url));

export interface HookRun {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Folders of one test, and both hooks run against them. */
export interface HookLab {
  folder: string;
  runDir: string;
  /** bundled hookscript, as it is installed */
  hookscript: string;
  manage(vmid: number, onFailure: 'refuse' | 'start'): Promise<void>;
  unmanage(vmid: number): Promise<void>;
  start(argv: string[], env?: Record<string, string>, identity?: { uid: number; gid: number }): RunningHook;
  /** What Proxmox would show of a start: the container's warnings file. */
  warnings(vmid: number): Promise<string>;
  remove(): Promise<void>;
}

export interface RunningHook {
  pid: number;
  ended: Promise<HookRun>;
  /** Processes that this run started and that still live: they carry its mark in their environment. */
  processes(): Promise<string[]>;
}

export const lxcHook = `${source}/lxc-hook`;

/** Bundles the hookscript as the package does: one CommonJS file without an extension. */
async function bundleHookscript(outfile: string): Promise<void> {
  await build({
    banner: { js: '#!/usr/bin/node' },
    entryPoints: [`${source}/hookscript.ts`],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    logLevel: 'error',
  });
}

export async function createHookLab(): Promise<HookLab> {
  const folder = await mkdtemp(`${tmpdir()}/pve-cni-hooks-`);
  const lab = { runDir: `${folder}/run`, state: `${folder}/state`, warnings: `${folder}/warnings` };
  await Promise.all([lab.runDir, `${lab.state}/managed`, lab.warnings].map((path) => mkdir(path, { recursive: true, mode: 0o700 })));
  await bundleHookscript(`${folder}/hookscript`);
  return {
    folder,
    runDir: lab.runDir,
    hookscript: `${folder}/hookscript`,
    manage: (vmid, onFailure) => writeFile(`${lab.state}/managed/${vmid}`, `${onFailure}\n`),
    unmanage: (vmid) => rm(`${lab.state}/managed/${vmid}`),
    start(argv, env = {}, identity = undefined) {
      const mark = randomUUID();
      const [file = '', ...args] = argv;
      const child = spawn(file, args, {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
          PVE_CNI_TEST_MARK: mark,
          PVE_CNI_RUN_DIR: lab.runDir,
          PVE_CNI_STATE_DIR: lab.state,
          PVE_CNI_WARNINGS_DIR: lab.warnings,
          PVE_CNI_CONNECT_SECONDS: '0',
          ...env,
        },
        ...identity,
      });
      return { pid: child.pid ?? 0, ended: outcome(child), processes: () => marked(mark) };
    },
    warnings: (vmid) => readFile(`${lab.warnings}/ct-${vmid}.warnings`, 'utf8').catch(() => ''),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

async function outcome(child: ReturnType<typeof spawn>): Promise<HookRun> {
  const run = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    run.stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    run.stderr += text;
  });
  // `close` waits for the end of both pipes: a process left behind that holds them would hang the test
  const [code, signal] = await once(child, 'close');
  return { ...run, code, signal };
}

async function marked(mark: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    const environment = /^\d+$/.test(pid) ? await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '') : '';
    if (environment.includes(mark)) found.push(await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => ''));
  }
  return found;
}
