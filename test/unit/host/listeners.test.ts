import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { listeningPorts } from '../../../src/host/listeners.ts';

describe('ports that processes listen on', () => {
  for (const [host, seen] of [
    ['0.0.0.0', true],
    ['::', true],
    ['127.0.0.1', false],
    ['::ffff:127.0.0.1', false],
    ['::1', false],
  ] as const)
    it(`${seen ? 'are found' : 'are no matter'} at ${host}, over TCP and UDP`, async () => {
      const server = createServer();
      const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
      try {
        server.listen({ host, port: 0 });
        socket.bind({ address: host, port: 0 });
        await Promise.all([once(server, 'listening'), once(socket, 'listening')]);
        const { port: tcp } = server.address() as { port: number };
        const { port: udp } = socket.address();
        const found = await listeningPorts();
        assert.deepEqual([found.has(`${tcp}/tcp`), found.has(`${udp}/udp`)], [seen, seen]);
      } finally {
        server.close();
        socket.close();
      }
    });
});
