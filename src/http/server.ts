import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Manager } from '../manager/manager.ts';
import { failure } from '../model/errors.ts';
import { createApp, type Log } from './app.ts';
import { openApiDocument } from './openapi.ts';
import type { TextAnswer } from './route.ts';
import { listening, listenOnPath } from './socket.ts';

export interface HttpServerOptions {
  manager: Manager;
  metrics: () => Promise<TextAnswer>;
  /** false until the manager can answer; requests are told to come back meanwhile */
  ready: () => boolean;
  log: Log;
  version: string;
  /** for a request to arrive whole, headers and body; 10 s */
  requestTimeoutMs?: number;
}

export interface HttpServer {
  /** On a path: a socket of root's alone. On a descriptor: the socket that systemd made (socket activation).
   *  @throws StateError SERVICE_RUNNING, STATE_UNSAFE */
  listen(target: { path: string } | { fd: number }): Promise<void>;
  /** Answers 503 to new requests, waits for those that run, at most `graceMs`, and then cuts them: their signals abort. */
  stop(graceMs: number): Promise<void>;
}

/** The service's door: HTTP on a unix socket. */
export function createHttpServer({ manager, metrics, ready, log, version, requestTimeoutMs = 10_000 }: HttpServerOptions): HttpServer {
  let stopping = false;
  let activated = false;
  let running = 0;
  let openApi: object | undefined;

  const gate = () => {
    if (stopping) throw failure('SERVICE_STOPPING', 'the service is stopping; try again in a moment');
    if (!ready()) throw failure('SERVICE_UNAVAILABLE', 'the service is starting and not ready yet; try again in a moment');
  };
  const service = { manager, metrics, openApi: () => (openApi ??= openApiDocument(version)) };
  const app = createApp({ service, gate, log });
  // a client that sends slowly holds nothing but its own connection, and not for long
  const server = createServer({
    headersTimeout: requestTimeoutMs,
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: Math.ceil(requestTimeoutMs / 10),
  });
  server.on('request', (request, response) => {
    running += 1;
    response.once('close', () => {
      running -= 1;
      if (stopping && running === 0) server.emit('idle');
    });
    if (stopping) response.setHeader('Connection', 'close');
    app(request, response);
  });

  return {
    async listen(target) {
      activated = 'fd' in target;
      await ('fd' in target ? listening(server, () => server.listen({ fd: target.fd })) : listenOnPath(server, target.path));
    },
    async stop(graceMs) {
      stopping = true;
      // systemd keeps its socket: who connects from now on waits for the next process instead of being refused
      if (activated) server.close();
      const done = new AbortController();
      if (running > 0)
        await Promise.race([
          new Promise((resolve) => server.once('idle', resolve)),
          delay(graceMs, undefined, { signal: done.signal }).catch(() => {}),
        ]);
      done.abort();
      const closed = new Promise<void>((resolve) => (server.listening || activated ? server.close(() => resolve()) : resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}
