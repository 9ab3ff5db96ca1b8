import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { until } from '../until.ts';

/** user → path → privileges; `*` is all of them */
export type Users = Record<string, Record<string, string[]>>;

export interface PveproxyOptions {
  /** the service's */
  socket: string;
  users?: Users;
  node?: string;
  /** page of the web interface; one with nothing but scripts when absent */
  index?: string;
  /** the panel's script; dist/pve-cni-panel.js when absent */
  panel?: string;
  /** URL prefix → folder or file */
  static?: Record<string, string>;
}

export interface ApiAnswer {
  status: number;
  reason: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  body: any;
  text: string;
}

/** The stand-in of pveproxy (pveproxy.pl) with the real bridge in it. */
export interface Pveproxy {
  port: number;
  /** its folder: notes/, tasks/, and `disable-api` when somebody puts it there */
  dir: string;
  /** as `user`; parameters go as a form does, or in the query of a GET or DELETE */
  api(user: string | null, method: string, path: string, parameters?: Record<string, string>): Promise<ApiAnswer>;
  /** the same by extjs, as the web interface asks */
  extjs(user: string, method: string, path: string, parameters?: Record<string, string>): Promise<ApiAnswer>;
  get(path: string, user?: string): Promise<ApiAnswer>;
  /** waits for the end of a task; its exit status and its log */
  task(upid: string): Promise<{ exitstatus: string; lines: string[] }>;
  allow(users: Users): void;
  stop(): Promise<void>;
}

export async function startPveproxy(options: PveproxyOptions): Promise<Pveproxy> {
  const dir = mkdtempSync(join(tmpdir(), 'pve-cni-pveproxy-'));
  const node = options.node ?? 'pve1';
  const usersFile = join(dir, 'users.json');
  const allow = (users: Users) => writeFileSync(usersFile, JSON.stringify({ 'root@pam': { '/': ['*'] }, ...users }));
  allow(options.users ?? {});
  const args = ['--socket', options.socket, '--pve-dir', dir, '--users', usersFile, '--node', node];
  if (options.index) args.push('--index', options.index);
  if (options.panel) args.push('--panel', options.panel);
  for (const [prefix, folder] of Object.entries(options.static ?? {})) args.push('--static', `${prefix}=${folder}`);
  const child = spawn('perl', ['-T', fileURLToPath(new URL('pveproxy.pl', import.meta.url)), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await firstLine(child);

  const send = (user: string | null, method: string, path: string, parameters: Record<string, string> = {}) => {
    const form = new URLSearchParams(parameters).toString();
    const inBody = method === 'POST' || method === 'PUT';
    return ask(port, method, inBody || form === '' ? path : `${path}?${form}`, {
      user,
      ...(inBody && form !== '' && { form }),
    });
  };
  const api: Pveproxy['api'] = (user, method, path, parameters) => send(user, method, `/api2/json/${path}`, parameters);
  return {
    port,
    dir,
    allow,
    api,
    extjs: (user, method, path, parameters) => send(user, method, `/api2/extjs/${path}`, parameters),
    get: (path, user) => send(user ?? null, 'GET', path),
    async task(upid) {
      const at = `nodes/${node}/tasks/${encodeURIComponent(upid)}`;
      const { body } = await until(
        `the end of ${upid}`,
        async () => {
          const answer = await api('root@pam', 'GET', `${at}/status`);
          return answer.body.data?.status === 'stopped' ? answer : null;
        },
        90,
      );
      const log = await api('root@pam', 'GET', `${at}/log`);
      return { exitstatus: body.data.exitstatus, lines: log.body.data.map((line: { t: string }) => line.t) };
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM');
        await once(child, 'exit');
      }
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function firstLine(child: ChildProcess): Promise<number> {
  if (!child.stdout) throw new Error('no output');
  const lines = createInterface({ input: child.stdout });
  const [line] = await Promise.race([
    once(lines, 'line'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`pveproxy.pl ended with ${code}`))),
  ]);
  return JSON.parse(line).port;
}

function ask(port: number, method: string, path: string, { user, form }: { user: string | null; form?: string }): Promise<ApiAnswer> {
  return new Promise((resolve, reject) => {
    const headers = {
      ...(user !== null && { Cookie: `PVEAuthCookie=${encodeURIComponent(user)}` }),
      ...(form !== undefined && { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': Buffer.byteLength(form) }),
    };
    const sent = request({ host: '127.0.0.1', port, method, path, headers, agent: false, timeout: 90_000 }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('error', reject);
      answer.on('end', () => {
        const text = Buffer.concat(parts).toString();
        const isJson = /json/.test(answer.headers['content-type'] ?? '');
        resolve({ status: answer.statusCode ?? 0, reason: answer.statusMessage ?? '', body: isJson ? JSON.parse(text) : null, text });
      });
    });
    sent.on('error', reject);
    sent.on('timeout', () => sent.destroy(new Error('no answer')));
    sent.end(form);
  });
}
