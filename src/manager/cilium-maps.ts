import { z } from 'zod';
import { vmidOf } from '../core/labels.ts';
import { reservedNames } from '../core/policy-map.ts';
import { type MapKind, mapKinds } from '../model/cilium-map-kinds.ts';
import type { MapContent, MapContentOf, MapView, PartyView, PlaceView } from '../model/cilium-maps-api.ts';
import { asPveCniError, failure } from '../model/errors.ts';
import type { Dependencies } from './dependencies.ts';

/** Cilium's eBPF maps with names in place of numbers. The maps are the kernel's, so that they are read while the agent is away, too; then
 *  only this node's containers have names. */

export interface MapQuestion {
  vmid?: number | undefined;
  limit: number;
}

interface Kind<K extends MapKind> {
  holds: string;
  /** names in the kernel; of `policy` one for each endpoint */
  maps: readonly string[];
  /** as the agent names them in its health */
  capacity: readonly string[];
  read: (deps: Dependencies, names: Names, question: MapQuestion) => Promise<MapContentOf<K>>;
}

const kinds: { [K in MapKind]: Kind<K> } = {
  endpoints: {
    holds: 'containers of this node, by address',
    maps: ['cilium_lxc'],
    capacity: ['Endpoints'],
    async read({ ciliumMaps, host }, names, question) {
      const all = await Promise.all(
        (await ciliumMaps.endpoints()).map(async ({ address, endpoint, identity, ifindex, mac, hostMac }) => ({
          address,
          endpoint,
          who: names.party(identity),
          interface: ifindex === null ? '' : ((await host.linkByIndex(ifindex)) ?? String(ifindex)),
          mac,
          hostMac,
        })),
      );
      return { kind: 'endpoints', ...bounded(all, question, ({ who }) => [who]) };
    },
  },
  ipcache: {
    holds: 'identity of every address that is known, on all nodes',
    maps: ['cilium_ipcache_v2'],
    capacity: ['IP cache'],
    async read({ ciliumMaps }, names, question) {
      const all = (await ciliumMaps.ipcache()).map(({ prefix, identity, tunnel, encryptKey, flags }) => ({
        prefix,
        who: names.party(identity),
        node: tunnel,
        encryptKey,
        flags,
      }));
      return { kind: 'ipcache', ...bounded(all, question, ({ who }) => [who]) };
    },
  },
  policy: {
    holds: 'what an endpoint may receive and send, by identity and port',
    maps: ['cilium_policy_v3_*'],
    capacity: ['Endpoint policy'],
    async read({ ciliumMaps }, names, question) {
      const all = (await ciliumMaps.policies()).flatMap(({ endpoint, entries }) => {
        const who = names.endpoint(endpoint);
        return entries.map(({ direction, identity, deny, protocolName: protocol, ports, packets, bytes }) => ({
          endpoint,
          who,
          direction,
          verdict: deny ? ('deny' as const) : ('allow' as const),
          peer: names.party(identity),
          protocol,
          ports,
          packets,
          bytes,
        }));
      });
      return { kind: 'policy', ...bounded(all, question, ({ who }) => [who]) };
    },
  },
  ct: {
    holds: 'connections that were let pass, so that their answers are',
    maps: ['cilium_ct4_global', 'cilium_ct_any4_global', 'cilium_ct6_global', 'cilium_ct_any6_global'],
    capacity: ['TCP connection tracking', 'Non-TCP connection tracking'],
    async read({ ciliumMaps }, names, { vmid, limit }) {
      const isOf = ({ address }: { address: string }) => names.place({ address, port: 0 }).vmid === vmid;
      const { entries, found } = await ciliumMaps.connections(({ from, to }) => vmid === undefined || isOf(from) || isOf(to), limit);
      const now = ciliumMaps.uptimeSeconds;
      return {
        kind: 'ct',
        found,
        entries: entries.map(({ from, to, expires, identity, ...rest }) => ({
          ...rest,
          from: names.place(from),
          to: names.place(to),
          expiresInSeconds: Math.round(expires - now),
          began: names.party(identity),
        })),
      };
    },
  },
  services: {
    holds: 'addresses that are balanced, and their backends',
    maps: ['cilium_lb4_services_v2', 'cilium_lb6_services_v2', 'cilium_lb4_backends_v3', 'cilium_lb6_backends_v3'],
    capacity: ['IPv4 service'],
    async read({ ciliumMaps }, names, question) {
      const all = (await ciliumMaps.services()).map(({ backends, ...service }) => ({
        ...service,
        backends: backends.map(({ protocol, ...at }) => ({ ...names.place(at), protocol })),
      }));
      return { kind: 'services', ...bounded(all, question, ({ backends }) => backends) };
    },
  },
  encryption: {
    holds: 'nodes, with the key that what goes to them is encrypted by',
    maps: ['cilium_node_map_v2'],
    capacity: [],
    async read({ ciliumMaps }, names, { vmid, limit }) {
      if (vmid !== undefined)
        throw failure('REQUEST_INVALID', 'cannot read encryption of one container: it is between nodes; leave the container out', { vmid });
      const [nodes, { mode, msg, ipsec, wireguard }] = await Promise.all([ciliumMaps.nodes(), ciliumMaps.encryption()]);
      return {
        kind: 'encryption',
        mode,
        found: nodes.length,
        entries: nodes.slice(0, limit).map(({ address, node, spi }) => ({ address, node: names.node(address), number: node, spi })),
        details: [
          ...(msg ? [msg.slice(0, 500)] : []),
          ...(wireguard?.interfaces ?? []).map(
            (one) => `${one.name}: port ${one['listen-port']}, ${one['peer-count']} peers, public key ${one['public-key']}`,
          ),
          ...(mode === 'IPsec' && ipsec ? [`keys in use ${ipsec['keys-in-use']}, errors ${ipsec['error-count']}`] : []),
        ],
      };
    },
  },
};

/** Everything that can be read, with its size. A map that cannot be read says why, and the others go on. */
export async function mapViews(deps: Dependencies): Promise<MapView[]> {
  const [names, capacities] = await Promise.all([namesOf(deps), capacitiesOf(deps)]);
  return Promise.all(
    mapKinds.map(async (kind): Promise<MapView> => {
      const { holds, maps, capacity: parts, read } = kinds[kind];
      const known = parts.flatMap((part) => capacities.get(part) ?? []);
      const capacity = known.length > 0 && known.length === parts.length ? known.reduce((sum, one) => sum + one, 0) : null;
      const base = { kind, holds, maps: [...maps], capacity };
      try {
        const content = await read(deps, names, { limit: kind === 'policy' ? Number.MAX_SAFE_INTEGER : 1 });
        const fullest = content.kind === 'policy' ? largestOf(content) : content.found;
        return { ...base, entries: content.found, pressure: capacity === null ? null : fullest / capacity, problem: null };
      } catch (thrown) {
        return { ...base, entries: null, pressure: null, problem: asPveCniError(thrown).message };
      }
    }),
  );
}

export async function mapContent(deps: Dependencies, kind: MapKind, question: MapQuestion): Promise<MapContent> {
  return kinds[kind].read(deps, await namesOf(deps), question);
}

/** Maps of policy are one for each endpoint. */
function largestOf({ entries }: MapContentOf<'policy'>): number {
  const counts = new Map<number, number>();
  for (const { endpoint } of entries) counts.set(endpoint, (counts.get(endpoint) ?? 0) + 1);
  return Math.max(0, ...counts.values());
}

function bounded<Entry>(
  all: readonly Entry[],
  { vmid, limit }: MapQuestion,
  who: (entry: Entry) => readonly { vmid: number | null }[],
): { found: number; entries: Entry[] } {
  const wanted = vmid === undefined ? all : all.filter((entry) => who(entry).some((one) => one.vmid === vmid));
  return { found: wanted.length, entries: wanted.slice(0, limit) };
}

/** What numbers and addresses stand for. */
interface Names {
  party(identity: number): PartyView;
  endpoint(id: number): PartyView;
  place(at: { address: string; port: number }): PlaceView;
  node(address: string): string;
}

/** From the journal and the kernel for this node's containers; from the agent, as far as it answers, for all others. */
async function namesOf({ store, cilium, ciliumMaps, proxmox }: Dependencies): Promise<Names> {
  const owners = new Map(store.attachments.brief().flatMap(({ vmid, addresses }) => addresses.map((address) => [address, vmid] as const)));
  const own = new Map<number, string>();
  for (const vmid of new Set(owners.values())) own.set(vmid, (await proxmox.of(vmid).catch(() => null))?.name ?? String(vmid));
  const [local, addresses, identities, nodes] = await Promise.all([
    ciliumMaps.endpoints().catch(() => []),
    ciliumMaps.ipcache().catch(() => []),
    cilium.agent.identities().catch(() => []),
    cilium.agent.ask('GET', '/cluster/nodes').catch(() => null),
  ]);
  const parties = new Map<number, PartyView>();
  for (const { id, labels } of identities) if (!(id in reservedNames)) parties.set(id, partyOf(id, labels));
  const endpoints = new Map<number, number>();
  for (const { endpoint, address, identity } of local) {
    const vmid = owners.get(address);
    if (endpoint === null) continue;
    endpoints.set(endpoint, identity);
    if (vmid !== undefined) parties.set(identity, { identity, vmid, name: own.get(vmid) ?? String(vmid) });
  }
  const known = new Map(addresses.map(({ prefix, identity }) => [prefix.replace(/\/(32|128)$/, ''), identity]));
  const nodeNames = new Map(
    (nodesAnswer.parse(nodes)['nodes-added'] ?? []).flatMap(({ name, 'primary-address': first, 'secondary-addresses': more }) =>
      [first?.ipv4?.ip, first?.ipv6?.ip, ...(more ?? []).map(({ ip }) => ip)].flatMap((ip) => (ip ? [[ip, name] as const] : [])),
    ),
  );
  const party = (identity: number) => parties.get(identity) ?? { identity, vmid: null, name: reservedNames[identity] ?? '' };
  return {
    party,
    endpoint: (id) => party(endpoints.get(id) ?? 0),
    place({ address, port }) {
      const vmid = owners.get(address);
      if (vmid !== undefined) return { address, port, vmid, name: own.get(vmid) ?? String(vmid) };
      const identity = known.get(address);
      const { vmid: other, name } = identity === undefined ? { vmid: null, name: '' } : party(identity);
      return { address, port, vmid: other, name };
    },
    node: (address) => nodeNames.get(address) ?? '',
  };
}

const ipPart = z.looseObject({ ip: z.string().optional() }).optional();
const nodesAnswer = z
  .looseObject({
    'nodes-added': z
      .array(
        z.looseObject({
          name: z.string().default(''),
          'primary-address': z.looseObject({ ipv4: ipPart, ipv6: ipPart }).optional(),
          'secondary-addresses': z.array(z.looseObject({ ip: z.string().default('') })).nullish(),
        }),
      )
      .nullish(),
  })
  .catch({});

function partyOf(identity: number, labels: readonly string[]): PartyView {
  const vmid = vmidOf(labels);
  const rest = (prefix: string) => labels.find((label) => label.startsWith(prefix))?.slice(prefix.length);
  if (vmid !== null) return { identity, vmid, name: rest('k8s:name=') ?? String(vmid) };
  return { identity, vmid: null, name: rest('reserved:') ?? rest('cidr:') ?? '' };
}

const sizes = z
  .looseObject({ 'bpf-maps': z.looseObject({ maps: z.array(z.looseObject({ name: z.string(), size: z.number() })).nullish() }).optional() })
  .catch({});

/** How many entries the agent gave its maps room for, by the agent's names of them. */
async function capacitiesOf({ cilium }: Dependencies): Promise<Map<string, number>> {
  const health = sizes.parse(await cilium.agent.ask('GET', '/healthz').catch(() => null));
  return new Map((health['bpf-maps']?.maps ?? []).map(({ name, size }) => [name, size]));
}
