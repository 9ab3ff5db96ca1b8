// Stand-in for the service: a small HTTP server on the hooks' socket whose answers the test chooses, among them the wrong ones.
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';

/** A hook's request as it arrived. */
export interface SeenRequest {
  phase: string;
  body: Record<string, unknown>;
  door: string | undefined;
  accept: string | undefined;
  traceparent: string | undefined;
}

/** `hang`: never answers; `reset`: closes without an answer; `half`: breaks off in the body; `rubbish`: not HTTP. */
export type Reply = { status: number; text: string; headers?: Record<string, string> } | 'hang' | 'reset' | 'half' | 'rubbish';

export interface StandIn {
  seen: SeenRequest[];
  /** Waits until so many requests came. */
  waitFor(count: number): Promise<void>;
  close(): Promise<void>;
}

/** Serves `<runDir>/pve-cni.sock`. `reply` gets the request and its number, from 1. */
export async function startStandIn(runDir: string, reply: (request: SeenRequest, nth: number) => Reply): Promise<StandIn> {
  const seen: SeenRequest[] = [];
  const sockets = new Set<Socket>();
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += chunk;
    const header = (name: string) => request.headers[name]?.toString();
    const one: SeenRequest = {
      phase: `${request.method} ${request.url}`.replace('POST /v1/hooks/', ''),
      body: JSON.parse(text),
      door: header('x-pve-cni-door'),
      accept: header('accept'),
      traceparent: header('traceparent'),
    };
    seen.push(one);
    const answer = reply(one, seen.length);
    server.emit('seen');
    if (typeof answer === 'object') response.writeHead(answer.status, { 'content-type': 'text/plain', ...answer.headers }).end(answer.text);
    else if (answer === 'reset') request.socket.destroy();
    else if (answer === 'rubbish') request.socket.end('\0\x01 not HTTP at all\n\n');
    else if (answer === 'half') {
      response.writeHead(200, { 'content-length': '100' }).write('half an ans', () => request.socket.destroy());
    }
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await mkdir(runDir, { recursive: true, mode: 0o700 });
  await rm(`${runDir}/pve-cni.sock`, { force: true });
  await once(server.listen(`${runDir}/pve-cni.sock`), 'listening');
  return {
    seen,
    async waitFor(count) {
      while (seen.length < count) await once(server, 'seen', { signal: AbortSignal.timeout(20_000) });
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
