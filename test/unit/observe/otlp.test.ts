import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { createOtlpExporter, type OtlpOptions } from '../../../src/observe/otlp.ts';
import { rootSpanId } from '../../../src/observe/tracing.ts';
import { attachOperation } from './operation-fixture.ts';

// The collector here is a stand-in: an HTTP server that keeps what it is sent, in the shapes of opentelemetry-proto.
describe('OTLP exporter', () => {
  let server: Server;
  let answers: number[];
  let received: { path: string; type: string; spans: Record<string, unknown>[] }[];
  let arrival: () => void;
  beforeEach(async () => {
    received = [];
    answers = [];
    arrival = () => {};
    server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const body = JSON.parse(Buffer.concat(chunks).toString());
      received.push({
        path: request.url ?? '',
        type: request.headers['content-type'] ?? '',
        spans: body.resourceSpans[0].scopeSpans[0].spans,
      });
      response.writeHead(answers.shift() ?? 200).end('{}');
      arrival();
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });
  const until = async (requests: number) => {
    while (received.length < requests)
      await new Promise<void>((done) => {
        arrival = done;
      });
  };
  const make = (options: Partial<OtlpOptions> = {}) =>
    createOtlpExporter({
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      version: '1.2.3',
      node: 'n1',
      delayMs: 5,
      timeoutMs: 1000,
      ...options,
    });

  it('sends an operation as a root span with its spans below, ids as hex and times as nanoseconds', async () => {
    const exporter = make();
    const caller = '00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01';
    exporter.export(attachOperation({ requester: { door: 'lxc-hook', user: 'root', traceparent: caller } }));
    await until(1);
    await exporter.stop();
    assert.equal(received[0]?.path, '/v1/traces');
    assert.equal(received[0]?.type, 'application/json');
    const [root, step, bridge, portmap] = received[0]?.spans ?? [];
    assert.equal(root?.spanId, rootSpanId('op-1'));
    assert.equal(root?.parentSpanId, '00f067aa0ba902b7');
    assert.equal(root?.startTimeUnixNano, '1700000000000000000');
    assert.equal(root?.endTimeUnixNano, '1700000000750000000');
    assert.equal(step?.parentSpanId, rootSpanId('op-1'));
    assert.equal(step?.startTimeUnixNano, '1700000000010500000');
    assert.equal(bridge?.parentSpanId, 'aaaaaaaaaaaaaaaa');
    assert.deepEqual(bridge?.attributes, [
      { key: 'network', value: { stringValue: 'web' } },
      { key: 'code', value: { intValue: '0' } },
    ]);
    assert.deepEqual(portmap?.status, { code: 2, message: 'no iptables' });
    assert.equal(exporter.dropped, 0);
  });

  it('gathers operations into one request', async () => {
    const exporter = make();
    for (let count = 0; count < 10; count += 1) exporter.export(attachOperation({ id: `op-${count}`, spans: [] }));
    await until(1);
    assert.equal(received[0]?.spans.length, 10);
    await exporter.stop();
  });

  it('keeps the batch when the collector says to try again', async () => {
    answers = [503, 200];
    const exporter = make();
    exporter.export(attachOperation());
    await until(2);
    assert.deepEqual(received[1]?.spans, received[0]?.spans);
    await exporter.stop();
    assert.equal(exporter.dropped, 0);
  });

  it('drops and counts a batch that the collector refuses for good', async () => {
    answers = [400];
    const reasons: string[] = [];
    const exporter = make({ onDrop: (operations, reason) => reasons.push(`${operations}: ${reason}`) });
    exporter.export(attachOperation());
    await until(1);
    await exporter.stop();
    assert.equal(exporter.dropped, 1);
    assert.match(reasons.join(), /^1: .*400/);
  });

  it('drops the oldest when the queue is full', async () => {
    const exporter = make({ queueLimit: 2 });
    for (const id of ['one', 'two', 'three']) exporter.export(attachOperation({ id, spans: [] }));
    await exporter.stop();
    assert.equal(exporter.dropped, 1);
    assert.deepEqual(
      received[0]?.spans.map((span) => span.spanId),
      [rootSpanId('two'), rootSpanId('three')],
    );
  });

  it('neither throws nor waits when nobody listens, and ends', async () => {
    const exporter = make({ endpoint: 'http://127.0.0.1:1/' });
    exporter.export(attachOperation());
    await exporter.stop();
    exporter.export(attachOperation());
    assert.equal(exporter.dropped, 2);
  });

  it('gives up on a collector that accepts and never answers', async () => {
    const sockets = new Set<import('node:net').Socket>();
    const silent = createTcpServer((socket) => void sockets.add(socket));
    await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done));
    const exporter = make({ endpoint: `http://127.0.0.1:${(silent.address() as AddressInfo).port}`, timeoutMs: 50 });
    exporter.export(attachOperation());
    await exporter.stop();
    assert.equal(exporter.dropped, 1);
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
});
