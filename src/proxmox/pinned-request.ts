import { request } from 'node:http';
import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';

export interface PinnedRequest {
  url: URL;
  method: string;
  headers: Record<string, string>;
  /** SHA-256 fingerprints of the certificates of which one must be the server's */
  fingerprints: readonly string[];
  /** of the whole: connection, answer, body */
  timeoutMs: number;
  maxBytes: number;
}

export interface PinnedAnswer {
  status: number;
  reason: string;
  contentType: string;
  text: string;
}

/** why there is no answer: `certificate` is a server that is not the one that was meant */
export class RequestFailed extends Error {
  readonly how: 'certificate' | 'unreachable' | 'slow' | 'flooded';
  constructor(how: RequestFailed['how'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.how = how;
  }
}

/** One HTTPS request without a body. Authorities count for nothing: the server's certificate must be one of the given, which is known
 *  before a byte of the request, and so the token, is on its way. @throws RequestFailed */
export async function pinnedRequest(options: PinnedRequest): Promise<PinnedAnswer> {
  const signal = AbortSignal.timeout(options.timeoutMs);
  try {
    return await answerOn(await pinnedConnection(options, signal), options, signal);
  } catch (error) {
    if (error instanceof RequestFailed) throw error;
    if (signal.aborted) throw new RequestFailed('slow', `no answer within ${options.timeoutMs / 1000} s`);
    throw new RequestFailed('unreachable', error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function pinnedConnection({ url, fingerprints }: PinnedRequest, signal: AbortSignal): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const socket = connect({
      host,
      port: Number(url.port || 443),
      ...(isIP(host) ? {} : { servername: host }),
      // what is checked instead is below
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
    });
    const give = (error: unknown) => {
      socket.destroy();
      reject(error);
    };
    signal.addEventListener('abort', () => give(signal.reason), { once: true });
    socket.on('error', give);
    socket.once('secureConnect', () => {
      const found = socket.getPeerX509Certificate()?.fingerprint256;
      if (found && fingerprints.includes(found)) return resolve(socket);
      give(new RequestFailed('certificate', `the certificate that ${url.host} shows (SHA-256 ${found ?? 'none'}) is not this node's`));
    });
  });
}

function answerOn(socket: TLSSocket, { url, method, headers, maxBytes }: PinnedRequest, signal: AbortSignal): Promise<PinnedAnswer> {
  return new Promise((resolve, reject) => {
    const sent = request({
      createConnection: () => socket,
      host: url.hostname,
      path: `${url.pathname}${url.search}`,
      method,
      headers: { ...headers, Host: url.host, Connection: 'close' },
      signal,
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      const parts: Buffer[] = [];
      let length = 0;
      response.on('data', (part: Buffer) => {
        length += part.length;
        parts.push(part);
        if (length <= maxBytes) return;
        reject(new RequestFailed('flooded', `the answer is larger than ${maxBytes} bytes`));
        sent.destroy();
      });
      response.on('error', reject);
      response.on('end', () => {
        socket.destroy();
        resolve({
          status: response.statusCode ?? 0,
          reason: response.statusMessage ?? '',
          contentType: response.headers['content-type'] ?? '',
          text: Buffer.concat(parts).toString('utf8'),
        });
      });
    });
    sent.end();
  });
}
