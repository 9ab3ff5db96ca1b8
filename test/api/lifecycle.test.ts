import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Manager } from '../../src/manager/manager.ts';
import { failure } from '../../src/model/errors.ts';
import { skip } from '../support/skip.ts';
import { until } from '../support/until.ts';
import { fixedManager } from './fixed-manager.ts';
import { call, problemIn, startServer, type TestServer } from './server.ts';

/** A hook that ends when it is told to, or when its signal aborts. */
function heldHook() {
  const state = { begun: 0, aborted: 0, release: () => {} };
  const released = new Promise<void>((resolve) => {
    state.release = resolve;
  });
  const hook: Manager['hook'] = async (_phase, _request, _requester, signal) => {
    state.begun += 1;
    const aborted = once(signal, 'abort').then(() => {
      state.aborted += 1;
      throw failure('CNI_CANCELLED', 'the client went away');
    });
    await Promise.race([released, aborted]);
    return { message: 'done', warnings: [] };
  };
  return { state, hook };
}

describe('the life of the server', () => {
  let running: TestServer | undefined;
  afterEach(async () => {
    await running?.close();
    running = undefined;
  });
  const askHook = (server: TestServer, signal?: AbortSignal) =>
    call(server, 'POST', '/v1/hooks/start-host', { body: { vmid: 101, pid: 77 }, ...(signal && { signal }) });

  it('aborts a hook whose client goes away', async () => {
    const { state, hook } = heldHook();
    running = await startServer({ manager: fixedManager([], { hook }) });
    const client = new AbortController();
    const asked = askHook(running, client.signal);
    await until('the hook begins', () => state.begun === 1);
    client.abort();
    await assert.rejects(asked);
    await until('the hook is aborted', () => state.aborted === 1);
  });

  it('does not abort a hook that was answered', async () => {
    const signals: AbortSignal[] = [];
    const hook: Manager['hook'] = async (_phase, _request, _requester, signal) => {
      signals.push(signal);
      return { message: '', warnings: [] };
    };
    running = await startServer({ manager: fixedManager([], { hook }) });
    await askHook(running);
    await call(running, 'GET', '/v1/status');
    assert.equal(signals[0]?.aborted, false);
  });

  it('lets what runs end when it stops, and sends new requests away meanwhile', async () => {
    const { state, hook } = heldHook();
    running = await startServer({ manager: fixedManager([], { hook }) });
    const asked = askHook(running);
    await until('the hook begins', () => state.begun === 1);
    const stopped = running.server.stop(10_000);
    const refused = await call(running, 'GET', '/v1/status');
    assert.equal(problemIn(refused).code, 'SERVICE_STOPPING');
    assert.equal(refused.headers['retry-after'], '1');
    assert.equal(refused.headers.connection, 'close');
    state.release();
    assert.equal((await asked).status, 200);
    await stopped;
    assert.equal(existsSync(running.socketPath), false);
  });

  it('cuts what still runs when the grace is over, and aborts it', async () => {
    const { state, hook } = heldHook();
    running = await startServer({ manager: fixedManager([], { hook }) });
    const asked = assert.rejects(askHook(running));
    await until('the hook begins', () => state.begun === 1);
    await running.server.stop(50);
    await asked;
    await until('the hook is aborted', () => state.aborted === 1);
  });

  it('asks hooks to come back while it starts, and shows metrics already', async () => {
    let ready = false;
    running = await startServer({ ready: () => ready });
    const refused = await askHook(running);
    assert.equal(problemIn(refused).code, 'SERVICE_UNAVAILABLE');
    assert.equal(refused.headers['retry-after'], '1');
    assert.equal((await call(running, 'GET', '/metrics')).status, 200);
    ready = true;
    assert.equal((await askHook(running)).status, 200);
  });

  it('makes a socket that only its own user can open', async () => {
    const umask = process.umask();
    running = await startServer();
    assert.equal((await stat(running.socketPath)).mode & 0o777, 0o600);
    assert.equal(process.umask(), umask);
  });

  it('refuses a folder that others can enter', async () => {
    running = await startServer();
    await running.server.stop(0);
    await chmod(running.folder, 0o755);
    await assert.rejects(running.server.listen({ path: running.socketPath }), { code: 'STATE_UNSAFE' });
  });

  it('refuses to take the place of a service that answers, or of a file', async () => {
    running = await startServer();
    const { server, socketPath, folder } = running;
    await assert.rejects(server.listen({ path: socketPath }), { code: 'SERVICE_RUNNING' });
    await writeFile(join(folder, 'file'), 'precious');
    await assert.rejects(server.listen({ path: join(folder, 'file') }), { code: 'STATE_UNSAFE' });
    assert.equal((await call(running, 'GET', '/v1/status')).status, 200);
  });

  it('takes the place of a socket that a killed service left', async () => {
    running = await startServer();
    const left = join(running.folder, 'left.sock');
    const code = 'require("node:net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))';
    await once(spawn(process.execPath, ['-e', code, left]), 'exit');
    assert.ok(existsSync(left));
    await running.server.stop(0);
    await running.server.listen({ path: left });
    assert.equal((await call({ socketPath: left }, 'GET', '/v1/status')).status, 503, 'a stopped server stays stopped, but it listens');
  });
});

describe('socket activation', () => {
  let child: ChildProcess | undefined;
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pve-cni-api-'));
  });
  after(() => rm(folder, { recursive: true }));
  afterEach(() => {
    child?.kill('SIGKILL');
  });
  const script = fileURLToPath(new URL('activated.ts', import.meta.url));
  const node = [process.execPath, '--import', 'tsx', script] as const;

  it('answers a client that came before the service, and leaves systemd its socket', async function () {
    if (!existsSync('/usr/bin/systemd-socket-activate')) skip(this, 'systemd-socket-activate is not installed');
    const socketPath = join(folder, 'activated.sock');
    const activate = spawn('/usr/bin/systemd-socket-activate', ['-E', 'PATH', '-l', socketPath, ...node], { stdio: 'ignore' });
    child = activate;
    await until('systemd listens', () => existsSync(socketPath));
    assert.equal((await call({ socketPath }, 'GET', '/v1/status')).status, 200);
    activate.kill('SIGTERM');
    await once(activate, 'exit');
    assert.ok(existsSync(socketPath), 'the socket stays for the next process');
  });
});
