import { z } from 'zod';
import { type MapKind, mapKinds } from './cilium-map-kinds.ts';
import { vmid } from './names.ts';

/** Shapes of what Cilium holds, as the socket speaks them. */

export const identityView = z
  .object({
    id: z.number().int().meta({ description: 'number of the identity, in the whole cluster' }),
    vmid: vmid.nullable().meta({ description: 'the container that it is of' }),
    labels: z.array(z.string()).meta({ description: 'as Cilium writes them: `k8s:app=web`' }),
    nodes: z.array(z.string()).meta({ description: 'nodes that use it' }),
    unusedSince: z.iso.datetime().nullable().meta({ description: 'as far as this node has looked' }),
  })
  .meta({ id: 'CiliumIdentity' });
export type IdentityView = z.output<typeof identityView>;

export const mapView = z
  .object({
    kind: z.enum(mapKinds),
    holds: z.string().meta({ description: 'what it is for, in words' }),
    maps: z.array(z.string()).meta({ description: 'names in the kernel' }),
    entries: z.number().int().nullable(),
    capacity: z.number().int().nullable().meta({ description: 'null while the agent is away' }),
    pressure: z.number().nullable().meta({ description: 'how full it is, 0 to 1; of `policy` the fullest endpoint’s' }),
    problem: z.string().nullable().meta({ description: 'why it cannot be read' }),
  })
  .meta({ id: 'CiliumMap' });
export type MapView = z.output<typeof mapView>;

/** Who a number is. */
const party = z
  .object({
    identity: z.number().int(),
    vmid: vmid.nullable(),
    name: z.string().meta({ description: 'of the container, or `host`, `world` and the like; empty when nobody knows it' }),
  })
  .meta({ id: 'CiliumParty' });
export type PartyView = z.output<typeof party>;

const place = z
  .object({ address: z.string(), port: z.number().int(), vmid: vmid.nullable(), name: z.string() })
  .meta({ id: 'CiliumPlace' });
export type PlaceView = z.output<typeof place>;

const endpointView = z.object({
  address: z.string(),
  endpoint: z.number().int().nullable().meta({ description: 'number on this node; null: the host itself' }),
  who: party,
  interface: z.string().meta({ description: 'on the host' }),
  mac: z.string(),
  hostMac: z.string(),
});
const ipcacheView = z.object({
  prefix: z.string(),
  who: party,
  node: z.string().meta({ description: 'address of the other node that has it, behind a tunnel' }),
  encryptKey: z.number().int(),
  flags: z.array(z.string()),
});
const policyEntryView = z.object({
  endpoint: z.number().int(),
  who: party,
  direction: z.enum(['ingress', 'egress']),
  verdict: z.enum(['allow', 'deny']),
  peer: party,
  protocol: z.string(),
  ports: z.string(),
  packets: z.number().int().nullable(),
  bytes: z.number().int().nullable(),
});
const connectionView = z.object({
  protocol: z.string(),
  direction: z.enum(['in', 'out', 'service']),
  from: place,
  to: place,
  related: z.boolean().meta({ description: 'an ICMP error of another connection' }),
  expiresInSeconds: z.number().int(),
  packets: z.number().int(),
  bytes: z.number().int(),
  flags: z.array(z.string()),
  began: party,
});
const serviceView = z.object({
  address: z.string(),
  port: z.number().int(),
  protocol: z.string(),
  flags: z.array(z.string()),
  backends: z.array(place.extend({ protocol: z.string() })),
});
const encryptedNodeView = z.object({
  address: z.string(),
  node: z.string().meta({ description: 'its name; empty when nobody knows it' }),
  number: z.number().int(),
  spi: z.number().int().meta({ description: 'IPsec: which key is sent with; 0: none' }),
});

const found = z.number().int().meta({ description: 'how many there are; `entries` has at most `limit` of them' });
const of = <K extends MapKind, E extends z.ZodType>(kind: K, entry: E) =>
  z.object({ kind: z.literal(kind), found, entries: z.array(entry) });
export const mapContent = z
  .discriminatedUnion('kind', [
    of('endpoints', endpointView),
    of('ipcache', ipcacheView),
    of('policy', policyEntryView),
    of('ct', connectionView),
    of('services', serviceView),
    of('encryption', encryptedNodeView).extend({
      mode: z.string().meta({ description: '`Disabled`, `Wireguard`, `IPsec`; empty while the agent is away' }),
      details: z.array(z.string()),
    }),
  ])
  .meta({ id: 'CiliumMapContent' });
export type MapContent = z.output<typeof mapContent>;
export type MapContentOf<K extends MapKind> = Extract<MapContent, { kind: K }>;
