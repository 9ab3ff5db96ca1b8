import { X509Certificate } from 'node:crypto';
import { z } from 'zod';
import type { ErrorCode } from '../model/error-codes.ts';
import { failure, type PveCniError } from '../model/errors.ts';
import type { TokenFile } from './api-token.ts';
import { type PinnedAnswer, pinnedRequest, type RequestFailed } from './pinned-request.ts';

/** What Proxmox's API says and no file: the state of containers on other nodes, and what the high-availability manager is about. */
export interface ProxmoxApi {
  /** null: there is no token yet. @throws ProxmoxError PROXMOX_TOKEN_REFUSED, PROXMOX_CERTIFICATE_UNKNOWN, PROXMOX_API_UNAVAILABLE */
  containers(): Promise<RemoteContainer[] | null>;
}

export interface RemoteContainer {
  vmid: number;
  node: string;
  status: 'running' | 'stopped' | 'unknown';
  /** e.g. started, stopped, error, fence, relocate; null: not managed by it */
  ha: string | null;
  pool: string | null;
}

export interface ProxmoxApiOptions {
  host: string;
  port: number;
  token: Pick<TokenFile, 'read'>;
  pveDir: string;
  readText: (path: string, maxBytes: number) => Promise<string | null>;
  /** Proxmox waits 3 s before it refuses a token */
  timeoutMs?: number;
  maxBytes?: number;
}

const text = z.string().max(256);
const guests = z
  .array(
    z.object({
      vmid: z.coerce.number().int().min(100).max(999_999_999),
      type: text,
      node: text,
      status: z.enum(['running', 'stopped', 'unknown']).catch('unknown'),
      hastate: text.optional(),
      pool: text.optional(),
    }),
  )
  .max(50_000);

export function createProxmoxApi(options: ProxmoxApiOptions): ProxmoxApi {
  const { host, port, token, pveDir, readText, timeoutMs = 10_000, maxBytes = 32 * 1024 * 1024 } = options;
  const where = `Proxmox’s API (https://${host}:${port})`;

  /** Of the certificates that the node's own proxy may show, one of an administrator's before Proxmox's: root alone can write them. */
  async function fingerprints(): Promise<string[]> {
    const texts = await Promise.all(['pveproxy-ssl.pem', 'pve-ssl.pem'].map((name) => readText(`${pveDir}/local/${name}`, 256 * 1024)));
    return texts.flatMap((pem) => {
      try {
        return pem === null ? [] : [new X509Certificate(pem).fingerprint256];
      } catch {
        return [];
      }
    });
  }

  return {
    async containers() {
      const secret = await token.read();
      if (!secret) return null;
      const pins = await fingerprints();
      // heavy, and not needed where there is no Proxmox
      const { proxmoxApi } = await import('proxmox-api');
      let answered: PinnedAnswer | null = null;
      let failed: RequestFailed | null = null;
      const fetchOnce = async (url: string | URL, init?: { method?: string; headers?: unknown }) => {
        // the library asks once more by itself
        if (failed) throw failed;
        const headers = init?.headers as Record<string, string>;
        try {
          answered = await pinnedRequest({
            url: new URL(url),
            method: init?.method ?? 'GET',
            headers,
            fingerprints: pins,
            timeoutMs,
            maxBytes,
          });
        } catch (error) {
          failed = error as RequestFailed;
          throw failed;
        }
        return asResponse(answered);
      };
      const api = proxmoxApi({
        host: host.includes(':') ? `[${host}]` : host,
        port,
        tokenID: secret.id,
        tokenSecret: secret.secret,
        queryTimeout: timeoutMs + 1000,
        fetch: fetchOnce as never,
      });
      try {
        const found = guests.parse(await api.cluster.resources.$get({ type: 'vm' }));
        return found
          .filter(({ type }) => type === 'lxc')
          .map(({ type, hastate, pool, ...one }) => ({ ...one, ha: hastate ?? null, pool: pool ?? null }));
      } catch (thrown) {
        throw reasonOf(where, failed, answered, thrown);
      }
    },
  };
}

/** What of a response of fetch the library uses. */
function asResponse({ status, reason, contentType, text }: PinnedAnswer) {
  const headers = new Map([['content-type', contentType]]);
  return {
    status,
    statusText: reason,
    headers: { get: (name: string) => headers.get(name) || null },
    text: async () => text,
    json: async () => JSON.parse(text),
  };
}

/** The library's own messages hold the whole answer; ours say what happened and what to do. */
function reasonOf(where: string, failed: RequestFailed | null, answered: PinnedAnswer | null, cause: unknown): PveCniError {
  const said = answered ? `${answered.status} ${answered.reason.slice(0, 200)}`.trim() : '';
  const make = (code: ErrorCode, why: string) =>
    failure(code, `cannot ask ${where}: ${why}`, answered ? { status: answered.status } : {}, cause);
  if (failed?.how === 'certificate')
    return make('PROXMOX_CERTIFICATE_UNKNOWN', `${failed.message}; nothing was sent; if it was renewed, restart pveproxy`);
  if (failed) return make('PROXMOX_API_UNAVAILABLE', `${failed.message}; see systemctl status pveproxy`);
  if (answered?.status === 401)
    return make(
      'PROXMOX_TOKEN_REFUSED',
      `it refused our token (${said}), which expired, was removed, or whose user is disabled; run pve-cni setup`,
    );
  if (answered?.status === 403) return make('PROXMOX_TOKEN_REFUSED', `our token may not (${said}); run pve-cni setup`);
  if (answered?.status === 595 || answered?.status === 596) return make('PROXMOX_API_UNAVAILABLE', `a node does not answer it (${said})`);
  if (answered && answered.status !== 200) return make('PROXMOX_API_UNAVAILABLE', `it answered ${said}`);
  return make('PROXMOX_API_UNAVAILABLE', 'its answer is not of the shape that it documents');
}
