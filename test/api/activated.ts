// The server on the descriptor that systemd passes, as main.ts runs it; the manager is the fixed one.
import { createHttpServer } from '../../src/http/server.ts';
import { fixedManager } from './fixed-manager.ts';

const server = createHttpServer({
  manager: fixedManager([]),
  metrics: async () => ({ contentType: 'text/plain', text: '' }),
  ready: () => true,
  log: { error: console.error },
  version: '1.2.3',
});
await server.listen({ fd: 3 });
process.once('SIGTERM', () => server.stop(1000));
