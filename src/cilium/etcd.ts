import { readFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { z } from 'zod';
import type { StoredKey } from '../core/cilium-identities.ts';
import { failure } from '../model/errors.ts';

/** What of etcd the service uses, by the JSON gateway that etcd 3.4 and 3.5 serve beside gRPC (`/v3/`). What it says is untrusted: it is
 *  parsed, and bounded in size and time. */
export interface Etcd {
  /** All keys below a prefix as they were at one revision; at the present one when none is given.
   *  @throws CNIError CILIUM_ETCD_UNAVAILABLE, CILIUM_ETCD_FAILED */
  list(prefix: string, options?: { revision?: string }): Promise<{ revision: string; keys: StoredKey[] }>;
  /** Sets a key; with a lease it goes when nobody keeps the lease alive. */
  put(key: string, text: string, lease: string): Promise<void>;
  grantLease(seconds: number): Promise<string>;
  /** false: it has run out */
  keepLease(lease: string): Promise<boolean>;
  /** Deletes a key if all conditions hold at that moment, in one transaction. Says whether they did. */
  deleteIf(key: string, conditions: readonly Condition[]): Promise<boolean>;
}

export type Condition =
  /** the key was not changed since */
  | { key: string; modRevision: string }
  /** there is no key below */
  | { prefix: string; is: 'empty' }
  /** there are keys below, and none has this value */
  | { prefix: string; is: 'without'; value: string };

export interface EtcdOptions {
  /** tried in turn, from the one that answered last */
  endpoints: readonly string[];
  caFile?: string | undefined;
  certFile?: string | undefined;
  keyFile?: string | undefined;
  timeoutMs?: number;
}

const int64 = z.string().regex(/^\d{1,20}$/);
const rangeAnswer = z.looseObject({
  header: z.looseObject({ revision: int64 }),
  kvs: z.array(z.looseObject({ key: z.base64(), value: z.base64().default(''), mod_revision: int64 })).default([]),
  more: z.boolean().default(false),
});
const transactionAnswer = z.looseObject({ succeeded: z.boolean().default(false) });
const grantAnswer = z.looseObject({ ID: int64 });
const keepAnswer = z.looseObject({ result: z.looseObject({ TTL: z.string().default('0') }) });
const problemAnswer = z.looseObject({ message: z.string().optional(), error: z.string().optional() });

const maxAnswerBytes = 16 * 1024 * 1024;
const pageKeys = 1000;
/** more identities than numbers exist, twice */
const maxKeys = 200_000;

export function createEtcd({ endpoints, caFile, certFile, keyFile, timeoutMs = 5000 }: EtcdOptions): Etcd {
  let first = 0;

  async function ask<T extends z.ZodType>(schema: T, path: string, body: object): Promise<z.output<T>> {
    const reasons: string[] = [];
    for (let tried = 0; tried < endpoints.length; tried++) {
      const index = (first + tried) % endpoints.length;
      const endpoint = endpoints[index] ?? '';
      try {
        const answer = await post(`${endpoint}${path}`, JSON.stringify(body), timeoutMs, await tls());
        if (answer.status !== 200) throw new Error(saidIn(answer.text) ?? `status ${answer.status}`);
        first = index;
        return parsed(schema, answer.text, endpoint, path);
      } catch (error) {
        if ((error as { code?: string }).code === 'CILIUM_ETCD_FAILED') throw error;
        reasons.push(`${endpoint}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    throw failure('CILIUM_ETCD_UNAVAILABLE', `cannot ask etcd, where Cilium keeps identities: ${reasons.join('; ')}`, { endpoints });
  }

  /** Read at every request: certificates are renewed. */
  async function tls(): Promise<RequestOptions> {
    const text = async (path: string | undefined) => (path === undefined ? undefined : await readFile(path, 'utf8'));
    const [ca, cert, key] = await Promise.all([text(caFile), text(certFile), text(keyFile)]);
    return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
  }

  return {
    async list(prefix, { revision } = {}) {
      const end = base64(endOf(prefix));
      const keys: StoredKey[] = [];
      let at = revision;
      for (let from = prefix; ; ) {
        const body = { key: base64(from), range_end: end, limit: String(pageKeys), ...(at !== undefined && { revision: at }) };
        const page = await ask(rangeAnswer, '/v3/kv/range', body);
        at ??= page.header.revision;
        for (const { key, value, mod_revision: modRevision } of page.kvs) keys.push({ key: plain(key), value: plain(value), modRevision });
        const last = page.kvs.at(-1);
        if (!page.more || !last || keys.length > maxKeys) return { revision: at, keys };
        from = `${plain(last.key)}\0`;
      }
    },
    async put(key, text, lease) {
      await ask(z.looseObject({}), '/v3/kv/put', { key: base64(key), value: Buffer.from(text).toString('base64'), lease });
    },
    grantLease: async (seconds) => (await ask(grantAnswer, '/v3/lease/grant', { TTL: String(seconds) })).ID,
    keepLease: async (lease) => (await ask(keepAnswer, '/v3/lease/keepalive', { ID: lease })).result.TTL !== '0',
    async deleteIf(key, conditions) {
      const body = {
        compare: conditions.map(comparisonOf),
        success: [{ request_delete_range: { key: base64(key) } }],
      };
      return (await ask(transactionAnswer, '/v3/kv/txn', body)).succeeded;
    },
  };
}

/** etcd's comparison of a range holds when it holds for each key of it; none fails `VALUE`, and counts as version 0 else
 *  (server/etcdserver/apply.go, `applyCompare`). */
function comparisonOf(condition: Condition): object {
  if ('key' in condition) return { key: base64(condition.key), target: 'MOD', result: 'EQUAL', mod_revision: condition.modRevision };
  const range = { key: base64(condition.prefix), range_end: base64(endOf(condition.prefix)) };
  if (condition.is === 'empty') return { ...range, target: 'VERSION', result: 'EQUAL', version: '0' };
  return { ...range, target: 'VALUE', result: 'NOT_EQUAL', value: base64(condition.value) };
}

/** The first key after all that begin with this: prefixes of ours end with "/". */
function endOf(prefix: string): string {
  return `${prefix.slice(0, -1)}0`;
}

function parsed<T extends z.ZodType>(schema: T, answer: string, endpoint: string, path: string): z.output<T> {
  const result = schema.safeParse(jsonOf(answer));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw failure(
    'CILIUM_ETCD_FAILED',
    `etcd at ${endpoint} answered ${path} with something unknown: ${issue?.path.join('.')}: ${issue?.message}; is it etcd 3.4 or 3.5?`,
    { path: `${endpoint}${path}` },
  );
}

function saidIn(answer: string): string | undefined {
  const result = problemAnswer.safeParse(jsonOf(answer));
  return result.success ? (result.data.message ?? result.data.error)?.slice(0, 500) : undefined;
}

function jsonOf(answer: string): unknown {
  try {
    return JSON.parse(answer);
  } catch {
    return undefined;
  }
}

function post(url: string, body: string, timeoutMs: number, tls: RequestOptions): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
    const secure = url.startsWith('https:');
    // a connection of its own: nothing lingers between two looks
    const options = { method: 'POST', headers, agent: false, ...(secure && tls) };
    const sent = (secure ? httpsRequest : httpRequest)(url, options, (answer) => {
      const chunks: Buffer[] = [];
      let size = 0;
      answer.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size <= maxAnswerBytes) chunks.push(chunk);
        else sent.destroy(new Error(`an answer of more than ${maxAnswerBytes} bytes`));
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
      answer.on('error', reject);
    });
    const late = setTimeout(() => sent.destroy(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs);
    sent.on('close', () => clearTimeout(late));
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Keys and values are bytes: one character each, so that what came back is asked for as it is. */
function base64(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('base64');
}

function plain(encoded: string): string {
  return Buffer.from(encoded, 'base64').toString('latin1');
}
