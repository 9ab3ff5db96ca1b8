import { request } from 'node:http';
import { z } from 'zod';
import { failure } from '../model/errors.ts';

/** What of the agent's REST API the service uses: api/v1/openapi.yaml of Cilium 1.20, on the agent's unix socket. What the agent says is
 *  untrusted: it is parsed, and bounded in size and time. */

const status = z.looseObject({ state: z.string().default(''), msg: z.string().default('') });
const agentHealth = z.looseObject({
  cilium: status.default({ state: 'Unknown', msg: '' }),
  kvstore: status.default({ state: 'Unknown', msg: '' }),
});
export type AgentHealth = z.output<typeof agentHealth>;

const hostAddressing = z.looseObject({ enabled: z.boolean().optional(), ip: z.string().optional(), 'alloc-range': z.string().optional() });
const agentConfig = z.looseObject({
  status: z.looseObject({
    addressing: z.looseObject({ ipv4: hostAddressing.optional(), ipv6: hostAddressing.optional() }),
    routeMTU: z.number().optional(),
    deviceMTU: z.number().optional(),
    ipamMode: z.string().optional(),
    daemonConfigurationMap: z.record(z.string(), z.unknown()).optional(),
  }),
});
export type AgentConfig = z.output<typeof agentConfig>;

const policyState = z.looseObject({
  id: z.number().optional(),
  'policy-revision': z.number().default(0),
  'policy-enabled': z.string().default('none'),
  'allowed-ingress-identities': z.array(z.number()).nullish(),
  'allowed-egress-identities': z.array(z.number()).nullish(),
});
const endpoint = z.looseObject({
  id: z.number(),
  status: z.looseObject({
    state: z.string(),
    'external-identifiers': z.looseObject({ 'cni-attachment-id': z.string().default('') }).default({ 'cni-attachment-id': '' }),
    identity: z.looseObject({ id: z.number(), labels: z.array(z.string()).nullish() }).optional(),
    networking: z
      .looseObject({
        addressing: z.array(z.looseObject({ ipv4: z.string().optional(), ipv6: z.string().optional() })).nullish(),
        'interface-name': z.string().default(''),
        mac: z.string().default(''),
      })
      .optional(),
    policy: z.looseObject({ realized: policyState.optional(), spec: policyState.optional() }).optional(),
  }),
});
type RawEndpoint = z.output<typeof endpoint>;

/** An endpoint as the agent holds it. */
export interface Endpoint {
  /** the agent's number of it, on this node */
  id: number;
  /** of our attachments: `CONTAINERID:IFNAME` */
  attachmentId: string;
  state: string;
  identity: number;
  /** `k8s:app=web` */
  labels: string[];
  addresses: string[];
  hostInterface: string;
  mac: string;
  /** revision of the policies that its eBPF programs enforce */
  policyRevision: number;
  /** `none`, `ingress`, `egress`, `both`, or the same with `audit-` before it */
  policyEnabled: string;
}

const identity = z.looseObject({ id: z.number(), labels: z.array(z.string()).nullish() });
const policyTree = z.looseObject({ revision: z.number().default(0), policy: z.string().default('[]') });

const knownAddress = z.looseObject({ cidr: z.string(), identity: z.number(), hostIP: z.string().default('') });
/** An address or range that the agent has an identity for, on whichever node it is. */
export type KnownAddress = z.output<typeof knownAddress>;

const serviceAddress = z.looseObject({ ip: z.string(), port: z.number().default(0), protocol: z.string().default('') });
const frontend = z.looseObject({
  spec: z.looseObject({
    'frontend-address': serviceAddress,
    'backend-addresses': z.array(serviceAddress.extend({ state: z.string().default('') })).nullish(),
    flags: z.looseObject({ name: z.string().default(''), namespace: z.string().default('') }).default({ name: '', namespace: '' }),
  }),
});
/** One address and port of a service, with its backends. */
export type Frontend = z.output<typeof frontend>['spec'];

export interface Agent {
  /** @throws CNIError CILIUM_UNAVAILABLE */
  health(): Promise<AgentHealth>;
  config(): Promise<AgentConfig>;
  endpoints(): Promise<Endpoint[]>;
  /** null: there is none */
  endpoint(attachmentId: string): Promise<Endpoint | null>;
  /** Replaces all labels; the new identity is in force after the agent's grace period. The list must be whole. */
  relabel(attachmentId: string, labels: readonly string[]): Promise<void>;
  /** Whether there was one. */
  removeEndpoint(attachmentId: string): Promise<boolean>;
  identity(id: number): Promise<{ id: number; labels: string[] } | null>;
  /** Labels of every identity that is in use. */
  identities(): Promise<{ id: number; labels: string[] }[]>;
  /** What the agent knows the identity of: containers of all nodes, nodes, ranges of policies. */
  knownAddresses(): Promise<KnownAddress[]>;
  /** What it balances. */
  frontends(): Promise<Frontend[]>;
  /** Everything in the agent's policy repository, as it prints it, and its revision. */
  policies(): Promise<{ revision: number; text: string }>;
  /** Any other question; null for 404. @throws CNIError CILIUM_UNAVAILABLE, CILIUM_API_FAILED */
  ask(method: string, path: string, body?: unknown): Promise<unknown>;
}

const maxAnswerBytes = 32 * 1024 * 1024;

export function createAgent(options: { socket: string; timeoutMs?: number }): Agent {
  const { socket, timeoutMs = 10_000 } = options;
  const ask: Agent['ask'] = async (method, path, body) => {
    const answer = await call(socket, method, path, body, timeoutMs);
    if (answer.status === 404) return null;
    if (answer.status >= 200 && answer.status < 300) return answer.body;
    throw failure('CILIUM_API_FAILED', `Cilium's agent refused ${method} ${path} with ${answer.status}: ${said(answer.body)}`, {
      path: socket,
      status: answer.status,
    });
  };
  const known = async <T extends z.ZodType>(schema: T, method: string, path: string): Promise<z.output<T> | null> => {
    const body = await ask(method, path);
    if (body === null) return null;
    const result = schema.safeParse(body);
    if (result.success) return result.data;
    throw failure(
      'CILIUM_API_FAILED',
      `Cilium's agent answered ${method} ${path} with something else than Cilium 1.20 does: ${result.error.issues[0]?.path.join('.')}: ${result.error.issues[0]?.message}`,
      { path: socket },
    );
  };
  const must = <T>(value: T | null, path: string): T => {
    if (value !== null) return value;
    throw failure('CILIUM_API_FAILED', `Cilium's agent knows no ${path}: is it another version than 1.20?`, { path: socket });
  };
  return {
    ask,
    health: async () => must(await known(agentHealth, 'GET', '/healthz'), '/healthz'),
    config: async () => must(await known(agentConfig, 'GET', '/config'), '/config'),
    endpoints: async () => ((await known(z.array(endpoint), 'GET', '/endpoint')) ?? []).map(endpointOf),
    async endpoint(attachmentId) {
      const found = await known(endpoint, 'GET', `/endpoint/${pathOf(attachmentId)}`);
      return found && endpointOf(found);
    },
    async relabel(attachmentId, labels) {
      // never PATCH …/labels: it keeps reserved:init and ignores new values of known keys
      const body = { state: 'waiting-for-identity', labels };
      const done = await ask('PATCH', `/endpoint/${pathOf(attachmentId)}`, body);
      if (done === null) throw failure('CILIUM_ENDPOINT_MISSING', `Cilium's agent has no endpoint ${attachmentId}`, { attachmentId });
    },
    removeEndpoint: async (attachmentId) => (await ask('DELETE', `/endpoint/${pathOf(attachmentId)}`)) !== null,
    async identity(id) {
      const found = await known(identity, 'GET', `/identity/${id}`);
      return found && { id: found.id, labels: found.labels ?? [] };
    },
    identities: async () =>
      must(await known(z.array(identity), 'GET', '/identity'), '/identity').map(({ id, labels }) => ({ id, labels: labels ?? [] })),
    knownAddresses: async () => must(await known(z.array(knownAddress), 'GET', '/ip'), '/ip'),
    frontends: async () => must(await known(z.array(frontend), 'GET', '/service'), '/service').map(({ spec }) => spec),
    async policies() {
      const tree = await known(policyTree, 'GET', '/policy');
      return { revision: tree?.revision ?? 0, text: tree?.policy ?? '[]' };
    },
  };
}

function endpointOf({ id, status }: RawEndpoint): Endpoint {
  const { networking, identity: own, policy } = status;
  const realized = policy?.realized;
  return {
    id,
    attachmentId: status['external-identifiers']['cni-attachment-id'],
    state: status.state,
    identity: own?.id ?? 0,
    labels: own?.labels ?? [],
    addresses: (networking?.addressing ?? []).flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6].filter((one): one is string => Boolean(one))),
    hostInterface: networking?.['interface-name'] ?? '',
    mac: networking?.mac ?? '',
    policyRevision: realized?.['policy-revision'] ?? 0,
    policyEnabled: realized?.['policy-enabled'] ?? 'none',
  };
}

function pathOf(attachmentId: string): string {
  return encodeURIComponent(`cni-attachment-id:${attachmentId}`);
}

function said(body: unknown): string {
  const text = typeof body === 'string' ? body : (JSON.stringify(body) ?? '');
  return text.trim().slice(0, 500) || 'no reason given';
}

function call(
  socketPath: string,
  method: string,
  path: string,
  body: unknown,
  timeoutMs: number,
): Promise<{ status: number; body: unknown }> {
  return new Promise((resolve, reject) => {
    const unavailable = (why: string, cause?: unknown) =>
      reject(
        failure(
          'CILIUM_UNAVAILABLE',
          `cannot reach Cilium's agent at ${socketPath}: ${why}; see pve-cni cilium status`,
          { path: socketPath },
          cause,
        ),
      );
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers = { Host: 'localhost', ...(text && { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) }) };
    const sent = request({ socketPath, method, path: `/v1${path}`, headers, agent: false }, (response) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      response.on('data', (part: Buffer) => {
        bytes += part.length;
        if (bytes > maxAnswerBytes) sent.destroy(new Error(`it answered with more than ${maxAnswerBytes} bytes`));
        else parts.push(part);
      });
      response.on('error', (error) => unavailable(error.message, error));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: parsed(Buffer.concat(parts).toString()) }));
    });
    const late = setTimeout(() => sent.destroy(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs);
    sent.on('close', () => clearTimeout(late));
    sent.on('error', (error: NodeJS.ErrnoException) => unavailable(reasons[error.code ?? ''] ?? error.message, error));
    sent.end(text);
  });
}

const reasons: Record<string, string> = {
  ENOENT: 'the socket does not exist',
  ECONNREFUSED: 'nobody listens',
  EACCES: 'the socket may not be opened',
};

function parsed(text: string): unknown {
  if (text.trim() === '') return '';
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
