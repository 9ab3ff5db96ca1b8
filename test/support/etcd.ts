import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { skip } from './skip.ts';
import { until } from './until.ts';

/** A real etcd on loopback. */
export interface EtcdServer {
  endpoint: string;
  /** with TLS: an authority, and a client's certificate and key of it */
  files: { caFile: string; certFile: string; keyFile: string } | null;
  put(key: string, value: string): Promise<void>;
  remove(key: string): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
  destroy(): Promise<void>;
}

export function needsEtcd(context: Mocha.Context): void {
  if (spawnSync('etcd', ['--version']).status !== 0) skip(context, 'etcd is not installed');
}

export async function startEtcd({ tls = false }: { tls?: boolean } = {}): Promise<EtcdServer> {
  const dir = mkdtempSync(join(tmpdir(), 'pve-cni-etcd-'));
  const [port, peerPort] = [await freePort(), await freePort()];
  const files = tls ? certificates(dir) : null;
  const endpoint = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  const flags: Record<string, string> = {
    'data-dir': join(dir, 'data'),
    'listen-client-urls': endpoint,
    'advertise-client-urls': endpoint,
    'listen-peer-urls': `http://127.0.0.1:${peerPort}`,
    'log-level': 'error',
    ...(files && {
      'cert-file': join(dir, 'server.crt'),
      'key-file': join(dir, 'server.key'),
      'trusted-ca-file': files.caFile,
      'client-cert-auth': 'true',
    }),
  };
  const credentials = files && {
    ca: execFileSync('cat', [files.caFile]),
    cert: execFileSync('cat', [files.certFile]),
    key: execFileSync('cat', [files.keyFile]),
  };
  const base64 = (text: string) => Buffer.from(text, 'latin1').toString('base64');
  const post = (path: string, body: object) =>
    new Promise<void>((resolve, reject) => {
      const sent = (tls ? httpsRequest : httpRequest)(`${endpoint}${path}`, { method: 'POST', agent: false, ...credentials }, (answer) => {
        answer.resume();
        answer.on('end', () => (answer.statusCode === 200 ? resolve() : reject(new Error(`status ${answer.statusCode}`))));
      });
      sent.on('error', reject);
      sent.end(JSON.stringify(body));
    });
  let child: ChildProcess | null = null;
  const server: EtcdServer = {
    endpoint,
    files,
    put: (key, value) => post('/v3/kv/put', { key: base64(key), value: base64(value) }),
    remove: (key) => post('/v3/kv/deleterange', { key: base64(key) }),
    async start() {
      child = spawn(
        'etcd',
        Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`),
        { stdio: 'ignore' },
      );
      await until('etcd answers', () =>
        post('/v3/kv/range', { key: base64('x') }).then(
          () => true,
          () => false,
        ),
      );
    },
    async stop() {
      if (child?.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
    async destroy() {
      await server.stop();
      rmSync(dir, { recursive: true });
    },
  };
  await server.start();
  return server;
}

function certificates(dir: string): NonNullable<EtcdServer['files']> {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, stdio: 'ignore' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=authority', '-days', '2');
  writeFileSync(join(dir, 'names'), 'subjectAltName=IP:127.0.0.1\n');
  for (const name of ['server', 'client']) {
    openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'names'];
    openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.crt`, ...signed);
  }
  return { caFile: join(dir, 'ca.crt'), certFile: join(dir, 'client.crt'), keyFile: join(dir, 'client.key') };
}
