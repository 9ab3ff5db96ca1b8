import { mkdir, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { dirname } from 'node:path';
import { failure } from '../model/errors.ts';
import type { Agent } from './agent.ts';

/** What an endpoint is born with. */
export interface Birth {
  vmid: number;
  /** whole list, as Cilium writes it */
  labels: readonly string[];
  /** '' leaves it to the plugin */
  mac: string;
  /** addresses from our store, without prefix length; null: the agent's own */
  addresses: readonly string[] | null;
  /** Chained: why an endpoint on this host interface, with these addresses, is refused; null: it is not. The plugin takes what it finds
   *  in the container, where somebody may have changed it meanwhile. */
  refuses?: (found: { hostInterface: string; addresses: string[] }) => Promise<string | null>;
}

/** A socket that the plugin cilium-cni takes for the agent's. Everything passes through, but an endpoint is created with the labels, the
 *  MAC and the addresses that were agreed before, so that there is no moment in which it has none (`reserved:init`) or another's. Who
 *  was not announced gets no endpoint. */
export interface PluginSocket {
  readonly path: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Announces an endpoint; the plugin is run between this and calling what it returns. */
  announce(containerId: string, ifname: string, birth: Birth): () => void;
}

const maxBodyBytes = 1024 * 1024;

/** The owner that the plugin's request for addresses names: pod namespace and name of its CNI_ARGS. */
export function podArgs(vmid: number): Record<string, string> {
  return { K8S_POD_NAMESPACE: 'default', K8S_POD_NAME: String(vmid) };
}

export function createPluginSocket(options: { path: string; agentSocket: string; agent: Agent }): PluginSocket {
  const { path, agentSocket, agent } = options;
  const announced = new Map<string, Birth>();
  let server: Server | null = null;

  async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const url = new URL(incoming.url ?? '/', 'http://localhost');
    if (incoming.method === 'POST' && url.pathname === '/v1/ipam') {
      const owner = url.searchParams.get('owner') ?? '';
      const birth = [...announced.values()].find(({ vmid }) => owner === `default/${vmid}`);
      if (birth?.addresses) return answer(outgoing, 201, await addressesOf(agent, birth.addresses));
    }
    const creates = incoming.method === 'PUT' && url.pathname.startsWith('/v1/endpoint/');
    const text = await bodyOf(incoming);
    if (!creates) return pass(incoming, text, outgoing);
    const wanted = JSON.parse(text) as Record<string, unknown>;
    const birth = announced.get(`${wanted['container-id']}/${wanted['container-interface-name']}`);
    if (!birth) return answer(outgoing, 403, 'pve-cni did not announce this endpoint');
    const refused = await birth.refuses?.(foundBy(wanted));
    if (refused) return answer(outgoing, 403, `pve-cni: ${refused}`);
    return pass(incoming, JSON.stringify(born(wanted, birth)), outgoing);
  }

  function pass({ method, url: at, headers }: IncomingMessage, text: string, outgoing: ServerResponse): Promise<void> {
    return new Promise((resolve, reject) => {
      const { 'content-type': type, accept } = headers;
      const sent = request(
        {
          socketPath: agentSocket,
          method,
          path: at,
          agent: false,
          headers: {
            Host: 'localhost',
            ...(accept && { Accept: accept }),
            ...(text && { 'Content-Type': type ?? 'application/json', 'Content-Length': Buffer.byteLength(text) }),
          },
        },
        (response) => {
          const { 'content-type': kind } = response.headers;
          outgoing.writeHead(response.statusCode ?? 502, kind ? { 'Content-Type': kind } : {});
          response.pipe(outgoing).on('finish', resolve);
          response.on('error', reject);
        },
      );
      // the plugin was killed: the agent need not go on
      outgoing.on('close', () => sent.destroy());
      sent.on('error', reject);
      sent.end(text);
    });
  }

  return {
    path,
    async start() {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await rm(path, { force: true });
      const listening = createServer((incoming, outgoing) => {
        serve(incoming, outgoing).catch((error: Error) => answer(outgoing, 503, `pve-cni: ${error.message}`));
      });
      server = listening;
      const umask = process.umask(0o177);
      try {
        await new Promise<void>((resolve, reject) => listening.on('error', reject).listen(path, resolve));
      } finally {
        process.umask(umask);
      }
    },
    async stop() {
      server?.closeAllConnections();
      await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
      server = null;
    },
    announce(containerId, ifname, birth) {
      const key = `${containerId}/${ifname}`;
      announced.set(key, birth);
      return () => void announced.delete(key);
    },
  };
}

/** What an EndpointChangeRequest is for; an address that is only the link's own does not count. */
function foundBy(wanted: Record<string, unknown>): { hostInterface: string; addresses: string[] } {
  const { ipv4, ipv6 } = (wanted.addressing ?? {}) as Record<string, unknown>;
  const addresses = [ipv4, ipv6].filter((one): one is string => typeof one === 'string' && one !== '' && !one.startsWith('fe80:'));
  return { hostInterface: String(wanted['interface-name'] ?? ''), addresses };
}

/** EndpointChangeRequest with what was agreed. With addresses of ours the agent neither gives nor takes them back (`external-ipam`): they
 *  may lie outside its own range, and it restores the endpoint with them. */
function born(wanted: Record<string, unknown>, { labels, mac, addresses }: Birth): Record<string, unknown> {
  const datapath = (wanted['datapath-configuration'] ?? {}) as Record<string, unknown>;
  return {
    ...wanted,
    labels,
    ...(mac && wanted.mac ? { mac } : {}),
    ...(addresses && { 'datapath-configuration': { ...datapath, 'external-ipam': true } }),
  };
}

/** IPAMResponse. The plugin takes what is called `host-addressing` for the node's own, to route by. */
async function addressesOf(agent: Agent, addresses: readonly string[]): Promise<unknown> {
  const { addressing } = (await agent.config()).status;
  const ipv4 = addresses.find((one) => !one.includes(':'));
  const ipv6 = addresses.find((one) => one.includes(':'));
  for (const [address, family] of [
    [ipv4, addressing.ipv4],
    [ipv6, addressing.ipv6],
  ] as const)
    if (address && !family?.enabled)
      throw failure('UNSUPPORTED', `cannot give ${address}: the agent does not carry this family; see cilium in pve-cnid.yaml`, {});
  return {
    address: { ...(ipv4 && { ipv4, 'ipv4-pool-name': 'default' }), ...(ipv6 && { ipv6, 'ipv6-pool-name': 'default' }) },
    'host-addressing': addressing,
    ...(ipv4 && { ipv4: { ip: ipv4, cidrs: null } }),
    ...(ipv6 && { ipv6: { ip: ipv6, cidrs: null } }),
  };
}

function bodyOf(incoming: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    incoming.on('data', (part: Buffer) => {
      bytes += part.length;
      if (bytes > maxBodyBytes) incoming.destroy(new Error('the request is too large'));
      else parts.push(part);
    });
    incoming.on('error', reject);
    incoming.on('end', () => resolve(Buffer.concat(parts).toString()));
  });
}

function answer(outgoing: ServerResponse, status: number, body: unknown): void {
  if (outgoing.headersSent) return void outgoing.destroy();
  outgoing.writeHead(status, { 'Content-Type': 'application/json' });
  outgoing.end(`${JSON.stringify(body)}\n`);
}
