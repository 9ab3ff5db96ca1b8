import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { execa } from 'execa';
import type { HookPaths } from './drop-in.ts';
import { until } from './until.ts';

export interface DaemonOptions {
  /** files below the root: networks/web.yaml → text */
  files?: Record<string, string>;
  /** keys of pve-cnid.yaml besides the folders */
  settings?: Record<string, unknown>;
  pluginDirs?: string[];
  env?: Record<string, string>;
  /** configuration root of another service, for nodes of one cluster */
  root?: string;
}

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  body: any;
}

/** The real service with folders of its own, and what tests need of it. */
export interface Daemon {
  dir: string;
  root: string;
  stateDir: string;
  runDir: string;
  netnsDir: string;
  cacheDir: string;
  lxcPath: string;
  socket: string;
  hooks: HookPaths;
  /** what runs it: another node's namespaces; [] is here */
  enter: readonly string[];
  pid(): number;
  /** starts it (again); resolves when it answers */
  start(env?: Record<string, string>): Promise<void>;
  /** the same without waiting for an answer: it may die before */
  launch(env?: Record<string, string>): void;
  stop(): Promise<void>;
  kill9(): Promise<void>;
  untilDead(): Promise<void>;
  api(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** the real command */
  cli(...args: string[]): Promise<{ exitCode: number | undefined; stdout: string; stderr: string }>;
  write(file: string, text: string): void;
  remove(file: string): void;
  log(): string;
  /** waits until a whole reconcile that began after now has ended */
  reconciled(): Promise<void>;
  /** stops it and removes its folders */
  destroy(): Promise<void>;
}

let built = false;

/** Builds dist/ once for a run of tests. */
export function ensureBuilt(): void {
  if (!built) execFileSync(process.execPath, ['scripts/build.mjs'], { stdio: ['ignore', 'ignore', 'inherit'] });
  built = true;
}

export async function createDaemon(options: DaemonOptions = {}): Promise<Daemon> {
  ensureBuilt();
  const dir = mkdtempSync('/var/lib/pve-cni-test-');
  const paths = {
    dir,
    root: options.root ?? join(dir, 'root'),
    stateDir: join(dir, 'state'),
    runDir: join(dir, 'run'),
    netnsDir: join(dir, 'netns'),
    cacheDir: join(dir, 'cni'),
    lxcPath: join(dir, 'lxc'),
    socket: join(dir, 'run', 'pve-cni.sock'),
  };
  for (const path of [paths.root, paths.stateDir, paths.runDir, paths.netnsDir, paths.lxcPath])
    mkdirSync(path, { mode: 0o700, recursive: true });
  const node = {
    root: paths.root,
    stateDir: paths.stateDir,
    runDir: paths.runDir,
    netnsDir: paths.netnsDir,
    cniCacheDir: paths.cacheDir,
    lxcPath: paths.lxcPath,
    ...(options.pluginDirs && { pluginDirs: options.pluginDirs }),
    reconcileSeconds: 2,
    livenessSeconds: 0.5,
    ...options.settings,
  };
  writeFileSync(join(dir, 'pve-cnid.yaml'), JSON.stringify(node));
  const logFile = join(dir, 'log');
  writeFileSync(logFile, '');
  let child: ChildProcess | null = null;

  const daemon: Daemon = {
    ...paths,
    enter: [],
    hooks: { stateDir: paths.stateDir, runDir: paths.runDir, warningsDir: join(dir, 'warnings') },
    pid: () => child?.pid ?? 0,
    launch(env = {}) {
      const script = `cd "${process.cwd()}" && exec "${process.execPath}" dist/pve-cnid.mjs --config "${dir}/pve-cnid.yaml" >>"${logFile}" 2>&1`;
      const [command = '', ...args] = [...daemon.enter, 'sh', '-c', script];
      child = spawn(command, args, {
        env: { PATH: process.env.PATH ?? '', HOME: '/root', ...options.env, ...env },
        stdio: 'ignore',
      });
    },
    async start(env) {
      daemon.launch(env);
      await until(
        'the service answers',
        async () => {
          if (child?.exitCode !== null) throw new Error(`the service ended:\n${daemon.log()}`);
          return (await daemon.api('GET', '/v1/status').catch(() => null))?.status === 200;
        },
        90,
      );
    },
    async stop() {
      if (!child || child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
    async kill9() {
      if (!child || child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
    async untilDead() {
      if (child && child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    },
    api: (method, path, body, headers) => call(paths.socket, method, path, body, headers),
    async cli(...args) {
      const { exitCode, stdout, stderr } = await execa(process.execPath, ['dist/pve-cni.mjs', '--socket', paths.socket, ...args], {
        reject: false,
      });
      return { exitCode, stdout, stderr };
    },
    write(file, text) {
      const path = join(paths.root, file);
      mkdirSync(join(path, '..'), { recursive: true });
      writeFileSync(path, text);
    },
    remove: (file) => rmSync(join(paths.root, file), { force: true }),
    log: () => readFileSync(logFile, 'utf8'),
    async reconciled() {
      const { body } = await daemon.api('POST', '/v1/reload');
      if (!body.lastReconcile) throw new Error(`no reconcile: ${JSON.stringify(body)}`);
    },
    async destroy() {
      await daemon.stop();
      const [command = '', ...args] = [...daemon.enter, 'sh'];
      await execa(command, [
        ...args,
        '-c',
        `for p in "${dir}"/netns/* "${dir}"/run/netns/*; do umount -l "$p" 2>/dev/null; done; umount -l "${dir}/netns" 2>/dev/null; rm -rf "${dir}"`,
      ]);
    },
  };
  mkdirSync(join(dir, 'warnings'));
  for (const [file, text] of Object.entries(options.files ?? {})) daemon.write(file, text);
  return daemon;
}

function call(socketPath: string, method: string, path: string, body?: unknown, more: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers = {
      'X-PVE-CNI-Door': 'cli',
      ...more,
      ...(text && { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) }),
    };
    const sent = request({ socketPath, method, path, headers, timeout: 90_000 }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => {
        const answer = Buffer.concat(parts).toString();
        resolve({
          status: response.statusCode ?? 0,
          body: /json/.test(response.headers['content-type'] ?? '') ? JSON.parse(answer) : answer,
        });
      });
    });
    sent.on('error', reject);
    sent.on('timeout', () => sent.destroy(new Error('no answer')));
    sent.end(text);
  });
}
