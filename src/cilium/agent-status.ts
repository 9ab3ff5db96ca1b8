import { z } from 'zod';
import { versionIn, versionProblem } from '../core/cilium-version.ts';
import { failure } from '../model/errors.ts';
import type { Agent } from './agent.ts';

/** What the agent says of itself, in one: GET /v1/healthz of Cilium 1.20. */

const state = z.looseObject({ state: z.string().default(''), msg: z.string().default('') });
const peer = z.looseObject({
  'public-key': z.string().default(''),
  endpoint: z.string().default(''),
  'last-handshake-time': z.string().default(''),
  'allowed-ips': z.array(z.string()).nullish(),
  'transfer-tx': z.number().default(0),
  'transfer-rx': z.number().default(0),
});
const wireguard = z.looseObject({
  interfaces: z
    .array(
      z.looseObject({
        name: z.string().default(''),
        'public-key': z.string().default(''),
        'listen-port': z.number().default(0),
        peers: z.array(peer).nullish(),
      }),
    )
    .nullish(),
});
const health = z.looseObject({
  cilium: state.optional(),
  kvstore: state.optional(),
  hubble: state.optional(),
  ipam: z.looseObject({ status: z.string().default('') }).optional(),
  'attach-mode': z.string().default(''),
  masquerading: z.looseObject({ enabled: z.boolean().default(false), mode: z.string().default('') }).optional(),
  routing: z.looseObject({ 'inter-host-routing-mode': z.string().default(''), 'tunnel-protocol': z.string().default('') }).optional(),
  controllers: z
    .array(
      z.looseObject({
        name: z.string().default(''),
        status: z
          .looseObject({ 'consecutive-failure-count': z.number().default(0), 'last-failure-msg': z.string().default('') })
          .optional(),
      }),
    )
    .nullish(),
  encryption: z
    .looseObject({
      mode: z.string().default('Disabled'),
      msg: z.string().default(''),
      wireguard: wireguard.optional(),
    })
    .optional(),
});
const clusterNodes = z.looseObject({
  self: z.string().default(''),
  'nodes-added': z
    .array(
      z.looseObject({
        name: z.string(),
        'primary-address': z
          .looseObject({ ipv4: z.looseObject({ ip: z.string().optional(), 'alloc-range': z.string().optional() }).optional() })
          .optional(),
      }),
    )
    .nullish(),
});

export type AgentStatus = z.output<typeof health> & {
  /** null: it does not say */
  version: string | null;
  /** other nodes that it knows of */
  nodes: { name: string; address: string; range: string }[];
};

/** @throws CNIError CILIUM_UNAVAILABLE, CILIUM_API_FAILED */
export async function agentStatus(agent: Agent): Promise<AgentStatus> {
  const [answer, version, cluster] = await Promise.all([
    agent.ask('GET', '/healthz'),
    agentVersion(agent),
    agent.ask('GET', '/cluster/nodes'),
  ]);
  const parsed = health.safeParse(answer);
  if (!parsed.success)
    throw failure('CILIUM_API_FAILED', 'Cilium’s agent answered GET /healthz with something else than Cilium 1.20 does', { version });
  const { encryption } = parsed.data;
  // its health counts WireGuard's peers, and names none
  if (encryption?.mode === 'Wireguard') encryption.wireguard = (await debugInfoOf(agent)).encryption?.wireguard ?? encryption.wireguard;
  const nodes = clusterNodes.safeParse(cluster);
  const { self = '', 'nodes-added': added } = nodes.success ? nodes.data : {};
  return {
    ...parsed.data,
    version,
    nodes: (added ?? [])
      .filter(({ name }) => name !== self && name !== `default/${self}`)
      .map(({ name, 'primary-address': primary }) => ({
        name,
        address: primary?.ipv4?.ip ?? '',
        range: primary?.ipv4?.['alloc-range'] ?? '',
      })),
  };
}

/** Which Cilium the agent is, as it says itself: in its health, or, where its build left that out, in GET /v1/debuginfo. */
async function agentVersion(agent: Agent): Promise<string | null> {
  const { cilium } = await agent.health();
  const said = versionIn(cilium.msg);
  if (said !== null) return said;
  return versionIn((await debugInfoOf(agent))['cilium-version'] ?? '');
}

const debugInfo = z.looseObject({
  'cilium-version': z.string().optional(),
  encryption: z.looseObject({ wireguard: wireguard.optional() }).optional(),
});

async function debugInfoOf(agent: Agent): Promise<z.output<typeof debugInfo>> {
  const info = debugInfo.safeParse(await agent.ask('GET', '/debuginfo'));
  return info.success ? info.data : {};
}

/** @throws CNIError CILIUM_VERSION_UNSUPPORTED when the agent is another minor version than ours, or does not say */
export async function requireSupportedAgent(agent: Agent): Promise<void> {
  const version = await agentVersion(agent);
  const problem = version === null ? 'Cilium’s agent does not say which version it is' : versionProblem(version);
  if (problem === null) return;
  throw failure('CILIUM_VERSION_UNSUPPORTED', `${problem}; see pve-cni cilium upgrade`, { version });
}
