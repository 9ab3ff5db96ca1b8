import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { connectHubble, type Hubble } from '../../../src/cilium/hubble.ts';
import type { FlowLossPlace } from '../../../src/model/flow.ts';
import { until } from '../../support/until.ts';

describe('the client of Hubble', () => {
  let folder = '';
  let socket = '';
  let server: ChildProcess | null = null;
  const clients: Hubble[] = [];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pve-cni-hubble-'));
    socket = join(folder, 'hubble.sock');
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await stopServer('SIGKILL');
    rmSync(folder, { recursive: true });
  });

  async function startServer(flowsPerSecond: number): Promise<ChildProcess> {
    const child = spawn(process.execPath, ['--import', 'tsx', 'test/support/hubble-stand-in.ts', socket, String(flowsPerSecond)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    server = child;
    await once(child.stdout, 'data');
    return child;
  }
  async function stopServer(signal: NodeJS.Signals): Promise<void> {
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    server.kill(signal);
    await once(server, 'exit');
  }
  const connect = async (flowsPerSecond?: number) => {
    const client = await connectHubble({ socket, ownerOf: () => null, clock: Date.now, ...(flowsPerSecond && { flowsPerSecond }) });
    clients.push(client);
    return client;
  };
  const counting = () => {
    const seen = { flows: 0, lost: 0, places: new Set<FlowLossPlace>() };
    return {
      seen,
      listener: {
        flow: () => {
          seen.flows += 1;
        },
        lost: (place: FlowLossPlace, count: number) => {
          seen.places.add(place);
          seen.lost += count;
        },
      },
    };
  };

  it('C70: reads a flood of 50,000 flows a second no faster than its rate; the rest is counted as lost, memory and loop stay free', async function () {
    this.timeout(60_000);
    const child = await startServer(50_000);
    const client = await connect(2000);
    const { seen, listener } = counting();
    const ended = new AbortController();
    const following = client.follow({ since: 0, listener, signal: ended.signal });
    await until('flows come', () => seen.flows > 0);
    const before = process.memoryUsage().rss;
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    const [flows, begin] = [seen.flows, performance.now()];
    await pause(5000);
    const rate = (seen.flows - flows) / ((performance.now() - begin) / 1000);
    const grown = process.memoryUsage().rss - before;
    delay.disable();
    child.kill('SIGUSR1');
    const [text] = await once(child.stdout as NodeJS.ReadableStream, 'data');
    const { made, sent, lost } = JSON.parse(String(text));
    console.log(
      `      ${made} made, ${sent} sent, ${seen.flows} read (${Math.round(rate)}/s), ${seen.lost} of ${lost} told as lost, loop p99 ${Math.round(delay.percentile(99) / 1e6)} ms`,
    );
    assert.ok(rate > 500 && rate < 3000, `${rate} a second`);
    assert.deepEqual([...seen.places], ['hubble']);
    assert.ok(seen.lost > 0.5 * lost, 'what was lost is told');
    // what is neither read nor lost is on its way: in the windows of the connection
    assert.ok(made - seen.flows - lost < 5000, `${made - seen.flows - lost} in between`);
    assert.ok(grown < 64 * 1024 * 1024, `${grown} bytes`);
    assert.ok(delay.percentile(99) < 250e6, `${delay.percentile(99)} ns`);
    ended.abort();
    await following;
  });

  it('says since when Hubble remembers', async () => {
    const begin = Date.now();
    await startServer(0);
    const { startedAt, oldest, overwritten } = await (await connect()).memory();
    assert.ok(startedAt >= begin && startedAt <= Date.now());
    assert.ok(oldest !== null && oldest >= begin - 1000);
    assert.equal(overwritten, false);
  });

  it('ends when it is told to, and fails when Hubble ends', async () => {
    await startServer(1000);
    const client = await connect();
    const { seen, listener } = counting();
    const ended = new AbortController();
    const first = client.follow({ since: 0, listener, signal: ended.signal });
    await until('flows come', () => seen.flows > 0);
    ended.abort();
    await first;
    const second = client.follow({ since: 0, listener, signal: new AbortController().signal });
    const failed = assert.rejects(second, { code: 'CILIUM_UNAVAILABLE' });
    const before = seen.flows;
    await until('flows come again', () => seen.flows > before);
    await stopServer('SIGKILL');
    await failed;
  });

  it('fails at once where nobody listens, naming the socket', async () => {
    const client = await connect();
    const begin = performance.now();
    await assert.rejects(client.memory(), (error: Error) => error.message.includes(socket));
    assert.ok(performance.now() - begin < 3000);
  });

  it('fails, in bounded time, where something else answers, or nothing does', async function () {
    this.timeout(30_000);
    for (const answer of ['HTTP/1.1 400 Bad Request\r\n\r\n', '']) {
      const connections: Socket[] = [];
      const other = createServer((connection) => {
        connections.push(connection);
        connection.on('error', () => {});
        if (answer) connection.end(answer);
      });
      await new Promise<void>((resolve) => other.listen(socket, resolve));
      const client = await connect();
      await assert.rejects(client.memory(), { code: 'CILIUM_UNAVAILABLE' });
      client.close();
      for (const connection of connections) connection.destroy();
      await new Promise((resolve) => other.close(resolve));
    }
  });
});
