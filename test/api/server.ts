import { mkdtemp, rm } from 'node:fs/promises';
import { type IncomingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHttpServer, type HttpServer, type HttpServerOptions } from '../../src/http/server.ts';
import { problem } from '../../src/model/api.ts';
import { type Calls, fixedManager } from './fixed-manager.ts';

export interface TestServer {
  folder: string;
  socketPath: string;
  server: HttpServer;
  calls: Calls;
  logged: object[];
  close(): Promise<void>;
}

/** The real server on a socket in a folder of its own. */
export async function startServer(changes: Partial<HttpServerOptions> = {}): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), 'pve-cni-api-'));
  const socketPath = join(folder, 'pve-cni.sock');
  const calls: Calls = [];
  const logged: object[] = [];
  const server = createHttpServer({
    manager: fixedManager(calls),
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4; charset=utf-8', text: 'pve_cni_debts 0\n' }),
    ready: () => true,
    log: { error: (facts) => logged.push(facts) },
    version: '1.2.3',
    ...changes,
  });
  await server.listen({ path: socketPath });
  const close = async () => {
    await server.stop(0);
    await rm(folder, { recursive: true });
  };
  return { folder, socketPath, server, calls, logged, close };
}

export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  json: unknown;
}

/** One request over the socket; a string body goes as it is. */
export function call(
  { socketPath }: { socketPath: string },
  method: string,
  path: string,
  { body, headers = {}, signal }: { body?: unknown; headers?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    const type = payload === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(payload) };
    const sent = request(
      { socketPath, method, path, headers: { ...type, ...headers }, agent: false, ...(signal && { signal }) },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        answer.on('error', reject).on('end', () => {
          const isJson = /(?<!nd)json/.test(answer.headers['content-type'] ?? '') && text !== '';
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text, json: isJson ? JSON.parse(text) : undefined });
        });
      },
    );
    sent.on('error', reject).end(payload);
  });
}

/** Bytes as they are, over the socket; resolves with what came until the other side closed. */
export function raw({ socketPath }: { socketPath: string }, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(socketPath, () => socket.write(bytes, 'latin1'));
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', reject).on('close', () => resolve(text));
  });
}

/** The answer as a problem; fails when its shape is not the one we promise. */
export function problemIn(reply: Reply) {
  if (!reply.headers['content-type']?.startsWith('application/problem+json'))
    throw new Error(`not a problem: ${reply.status} ${reply.text}`);
  const parsed = problem.strict().parse(reply.json);
  if (parsed.status !== reply.status) throw new Error(`status ${reply.status} with a problem of ${parsed.status}`);
  return parsed;
}
