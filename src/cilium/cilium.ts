import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { attachmentIdOf } from '../core/cilium-plugin.ts';
import { vmidOf } from '../core/labels.ts';
import type { CniAttachment, CniResult } from '../model/cni.ts';
import { asPveCniError, failure } from '../model/errors.ts';
import { type Agent, createAgent, type Endpoint } from './agent.ts';
import { requireSupportedAgent } from './agent-status.ts';
import { type Birth, createPluginSocket } from './plugin-socket.ts';

/** How long a start waits for an agent that is starting itself, ms; well below an operation's deadline. */
const patienceMs = 20_000;
/** How long an agent may take to say that it is there, ms: a stop waits for this, too. */
const answerMs = 2000;

const started = z.looseObject({ status: z.looseObject({ daemonConfigurationMap: z.looseObject({ CreationTime: z.unknown() }) }) });

/** Cilium on this node, as attaching and detaching need it. */
export interface Cilium {
  readonly agent: Agent;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Waits for an agent that is starting. @throws CNIError CILIUM_UNAVAILABLE; CILIUM_VERSION_UNSUPPORTED at once */
  untilReady(signal?: AbortSignal): Promise<void>;
  /** @throws CNIError CILIUM_UNAVAILABLE at once when nobody answers, CILIUM_VERSION_UNSUPPORTED */
  ready(): Promise<void>;
  /** Runs an ADD whose endpoint is born with what was agreed, and makes sure that it was.
   *  @throws CNIError CILIUM_ENDPOINT_MISSING */
  add(request: CniAttachment, birth: Birth, run: () => Promise<CniResult>): Promise<CniResult>;
  /** Runs a DEL and makes sure that the endpoint is gone: the plugin says "done" for what it only noted down for an agent that is away.
   *  @throws CNIError CILIUM_UNAVAILABLE before anything is run when the agent is away */
  del(request: CniAttachment, run: () => Promise<void>): Promise<void>;
  /** Endpoints that carry our labels, and the container they are for; null when the agent is away. */
  endpoints(): Promise<(Endpoint & { vmid: number })[] | null>;
  /** Addresses of all nodes' endpoints and the node that each is on; null when the agent is away. */
  whereabouts(): Promise<{ address: string; node: string }[] | null>;
}

export function createCilium(options: { agentSocket: string; pluginSocket: string }): Cilium {
  const { agentSocket } = options;
  const agent = createAgent({ socket: agentSocket });
  const asked = createAgent({ socket: agentSocket, timeoutMs: answerMs });
  const plugins = createPluginSocket({ path: options.pluginSocket, agentSocket, agent });

  /** when the agent started whose version was found good: it is asked once in its life */
  let known: unknown;

  async function answers(): Promise<unknown> {
    const config = started.safeParse(await asked.ask('GET', '/config'));
    return config.data?.status.daemonConfigurationMap.CreationTime;
  }

  async function ready(): Promise<void> {
    const since = await answers();
    if (since !== undefined && since === known) return;
    await requireSupportedAgent(asked);
    known = since;
  }

  return {
    agent,
    start: plugins.start,
    stop: plugins.stop,
    ready,
    async untilReady(signal) {
      const end = performance.now() + patienceMs;
      for (;;) {
        try {
          return await ready();
        } catch (error) {
          if (performance.now() > end || asPveCniError(error).code === 'CILIUM_VERSION_UNSUPPORTED') throw error;
          await pause(100, undefined, signal ? { signal } : {});
        }
      }
    },
    async add(request, birth, run) {
      await refuseOtherFamilies(asked, birth, request);
      const withdraw = plugins.announce(request.containerId, request.ifname, birth);
      try {
        const result = await run();
        try {
          verify(await agent.endpoint(attachmentIdOf(request)), birth, request);
        } catch (thrown) {
          // the chain itself ended well, so that nobody has undone it
          const error = asPveCniError(thrown);
          throw failure(error.code, error.message, { ...error.context, undone: false }, error);
        }
        return result;
      } finally {
        withdraw();
      }
    },
    async del(request, run) {
      await answers();
      await run();
      const id = attachmentIdOf(request);
      // deleted already in all but the rarest cases
      if (await asked.endpoint(id)) await asked.removeEndpoint(id);
    },
    async whereabouts() {
      const all = await asked.knownAddresses().catch(() => null);
      if (!all) return null;
      return all.flatMap(({ cidr, hostIP }) => {
        const [address = '', length = ''] = cidr.split('/');
        return hostIP && /^(32|128)$/.test(length) ? [{ address, node: hostIP }] : [];
      });
    },
    async endpoints() {
      const all = await asked.endpoints().catch(() => null);
      if (!all) return null;
      return all.flatMap((endpoint) => {
        const vmid = vmidOf(endpoint.labels);
        return vmid === null ? [] : [{ ...endpoint, vmid }];
      });
    },
  };
}

/** @throws ConfigurationError UNSUPPORTED for an address of a family that the agent does not carry */
async function refuseOtherFamilies(agent: Agent, { addresses }: Birth, { ifname, conflist }: CniAttachment): Promise<void> {
  // every agent carries IPv4
  const ipv6 = addresses?.find((address) => address.includes(':'));
  if (!ipv6 || (await agent.config()).status.addressing.ipv6?.enabled) return;
  throw failure(
    'UNSUPPORTED',
    `cannot give ${ifname} the address ${ipv6} of network "${conflist.name}": Cilium's agent on this node does not carry IPv6; set cilium.ipv6Range in pve-cnid.yaml, then pve-cni cilium config --write`,
    { network: conflist.name, ifname },
  );
}

/** An endpoint with another identity than was agreed must not pass a packet. */
function verify(endpoint: Endpoint | null, { labels }: Birth, { containerId, ifname }: CniAttachment): void {
  const missing = endpoint ? labels.filter((label) => !endpoint.labels.includes(label)) : labels;
  const foreign = endpoint?.labels.filter((label) => !labels.includes(label)) ?? [];
  if (endpoint && missing.length === 0 && foreign.length === 0) return;
  const what = endpoint ? `has the labels ${endpoint.labels.join(', ')}` : 'has no endpoint';
  throw failure(
    'CILIUM_ENDPOINT_MISSING',
    `Cilium's agent ${what} for ${ifname} of ${containerId}, where ${labels.join(', ')} were asked for`,
    { containerId, ifname, missing, foreign },
  );
}
