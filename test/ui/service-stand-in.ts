// Stand-in for the service behind the bridge: answers on a unix socket what a test says, also what the real one never would.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

/** Path without its query → what is answered to GET; of anything else it says that there is no such thing. */
export type Answers = Record<string, unknown>;

export interface ServiceStandIn {
  socket: string;
  stop(): void;
}

export async function startServiceStandIn(answers: Answers): Promise<ServiceStandIn> {
  const dir = mkdtempSync('/var/lib/pve-cni-test-');
  const socket = join(dir, 'pve-cni.sock');
  const server = createServer((request, response) => {
    const answer = answers[request.url?.replace(/\?.*/, '') ?? ''];
    const [status, type, body] =
      answer === undefined ? [404, 'problem+json', { detail: 'no such thing', code: 'ROUTE_UNKNOWN' }] : [200, 'json', answer];
    const text = JSON.stringify(body);
    // the bridge wants the length
    response.writeHead(status as number, { 'content-type': `application/${type}`, 'content-length': Buffer.byteLength(text) }).end(text);
  });
  await once(server.listen(socket), 'listening');
  return {
    socket,
    stop() {
      server.closeAllConnections();
      server.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
