import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import type { TextAnswer } from './route.ts';

export interface MetricsServerOptions {
  /** ADDRESS:PORT, [ADDRESS]:PORT */
  listen: string;
  metrics: () => Promise<TextAnswer>;
  requestTimeoutMs?: number;
}

export interface MetricsServer {
  /** Resolves with the address that it listens on. */
  start(): Promise<{ address: string; port: number }>;
  stop(): Promise<void>;
}

/** GET /metrics on TCP and nothing else: no Express, no API, nothing to change. */
export function createMetricsServer({ listen, metrics, requestTimeoutMs = 10_000 }: MetricsServerOptions): MetricsServer {
  const { host, port } = splitAddress(listen);
  const server = createServer(
    { headersTimeout: requestTimeoutMs, requestTimeout: requestTimeoutMs, connectionsCheckingInterval: Math.ceil(requestTimeoutMs / 10) },
    async (request, response) => {
      const answer = await answerTo(request, metrics);
      response.writeHead(answer.status, { 'Content-Type': answer.contentType, 'Cache-Control': 'no-store', ...answer.headers });
      response.end(request.method === 'HEAD' ? undefined : answer.text);
    },
  );
  server.maxConnections = 64;
  return {
    start: () => started(server, host, port),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Answer extends TextAnswer {
  status: number;
  headers?: Record<string, string>;
}

async function answerTo({ headers, method, url }: IncomingMessage, metrics: () => Promise<TextAnswer>): Promise<Answer> {
  const refuse = (status: number, text: string, more: Record<string, string> = {}): Answer => ({
    status,
    contentType: 'text/plain; charset=utf-8',
    text: `${text}\n`,
    headers: more,
  });
  if (!namesNoDomain(headers.host)) return refuse(421, 'the Host header must be an address or localhost');
  if (headers.origin !== undefined) return refuse(403, 'not for web pages');
  if (url?.split('?')[0] !== '/metrics') return refuse(404, 'only /metrics is served here');
  if (method !== 'GET' && method !== 'HEAD') return refuse(405, 'only GET', { Allow: 'GET, HEAD' });
  try {
    return { status: 200, ...(await metrics()) };
  } catch {
    return refuse(500, 'the metrics could not be collected; see the log of the service');
  }
}

/** DNS rebinding needs a name that an attacker's server resolves: an address or `localhost` cannot be one. */
function namesNoDomain(header: string | undefined): boolean {
  const { host } = splitAddress(header ?? '');
  return host === 'localhost' || isIP(host) !== 0;
}

function splitAddress(text: string): { host: string; port: number } {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text) ?? [];
  return { host: bracketed ?? plain ?? '', port: Number(port ?? 0) };
}

function started(server: Server, host: string, port: number): Promise<{ address: string; port: number }> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      const { address, port } = server.address() as AddressInfo; // a TCP server's address is never a string
      resolve({ address, port });
    });
  });
}
