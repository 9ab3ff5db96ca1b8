import { z } from 'zod';
import { errorView, networkView, serviceView } from './api.ts';
import { ifname, networkName, vmid } from './names.ts';
import { networkTypes } from './network.ts';
import { operationKinds } from './operation.ts';
import { settingsFile } from './settings.ts';

/** Shapes of what the panel draws: interfaces with their traffic, the picture of the node, its history. Rates are bytes a second,
 *  received and transmitted as the container sees it. */

/** `failed`: not attached, and the last attempt says why; `configured`: its container does not run. */
const interfaceStates = ['attached', 'adding', 'removing', 'waiting', 'degraded', 'failed', 'configured'] as const;

const traffic = z
  .object({
    rxBytes: z.number().int(),
    txBytes: z.number().int(),
    rxPackets: z.number().int(),
    txPackets: z.number().int(),
    rxDrops: z.number().int(),
    txDrops: z.number().int(),
    rxRate: z.number().meta({ description: 'bytes a second, of the last seconds; 0 until the counters have been read twice' }),
    txRate: z.number(),
  })
  .meta({ id: 'Traffic' });
export type TrafficView = z.output<typeof traffic>;

export const interfaceStatus = z
  .object({
    vmid,
    container: z.string().meta({ description: 'Proxmox’s name of the container' }),
    running: z.boolean(),
    ifname,
    network: networkName,
    type: z.enum(networkTypes).nullable().meta({ description: 'of the network; null: there is no such network' }),
    state: z.enum(interfaceStates),
    message: z.string().nullable().meta({ description: 'why it is not attached, or not as it was made' }),
    addresses: z.array(z.string()).meta({ description: 'with prefix length where it is known: 10.20.0.10/24' }),
    configured: z
      .object({
        network: networkName,
        address: z.union([z.literal('auto'), z.array(z.string())]),
        defaultRoute: z.boolean().nullable().meta({ description: 'as its file says; null: it says nothing' }),
      })
      .nullable()
      .meta({ description: 'null: it is not configured any more' }),
    mac: z.string().nullable(),
    mtu: z.number().int().nullable().meta({ description: 'bytes' }),
    hostIfname: z.string().nullable().meta({ description: 'the other end, on the node' }),
    since: z.iso.datetime().nullable(),
    defaultRoute: z.boolean(),
    names: z.array(z.string()).meta({ description: 'in DNS' }),
    enforced: z.enum(['cilium']).nullable().meta({ description: 'who enforces policies on it; null: nobody' }),
    traffic: traffic.nullable().meta({ description: 'null: its end on the node is not known, or is not its alone' }),
  })
  .meta({ id: 'InterfaceStatus' });
export type InterfaceStatus = z.output<typeof interfaceStatus>;

const topologyKinds = ['uplink', 'bridge', 'network', 'container', 'agent'] as const;
export const healthStates = ['good', 'warning', 'critical', 'off'] as const;
export type Health = (typeof healthStates)[number];

/** Edges lead from what is attached to what carries it: container, network, bridge or agent, uplink. */
export const topologyView = z
  .object({
    nodes: z.array(
      z.object({
        id: z.string().meta({ description: 'network:web' }),
        kind: z.enum(topologyKinds),
        name: z.string(),
        state: z.enum(healthStates),
        detail: z.string(),
        vmid: vmid.optional(),
        network: networkName.optional(),
      }),
    ),
    edges: z.array(z.object({ from: z.string(), to: z.string(), label: z.string().optional(), state: z.enum(healthStates) })),
  })
  .meta({ id: 'Topology' });
export type Topology = z.output<typeof topologyView>;

export const timeframes = ['hour', 'day'] as const;
export type Timeframe = (typeof timeframes)[number];

const point = z.object({
  time: z.number().int().meta({ description: 'unix seconds, of the beginning of the step' }),
  rxRate: z.number().nullable().meta({ description: 'null: not known for this step' }),
  txRate: z.number().nullable(),
});
export type HistoryPoint = z.output<typeof point>;

const steps = {
  timeframe: z.enum(timeframes),
  stepSeconds: z.number().int(),
  points: z.array(point).meta({ description: 'oldest first, from the first that is known' }),
};
export const containerHistory = z.object(steps).meta({ id: 'ContainerHistory' });
export type ContainerHistory = z.output<typeof containerHistory>;

export const operationBucket = z.object({
  time: z.number().int().meta({ description: 'unix seconds, of the beginning of the bucket' }),
  kind: z.enum(operationKinds).extract(['attach', 'detach']),
  count: z.number().int(),
  failed: z.number().int(),
  p50Ms: z.number(),
  p99Ms: z.number(),
});
export type OperationBucket = z.output<typeof operationBucket>;

export const nodeHistory = z
  .object({
    ...steps,
    bucketSeconds: z.number().int().meta({ description: 'of the operations' }),
    operations: z.array(operationBucket).meta({ description: 'oldest first; buckets without any are left out' }),
  })
  .meta({ id: 'NodeHistory' });
export type NodeHistory = z.output<typeof nodeHistory>;

/** How full a subnet is. Sizes of IPv6 subnets are rounded. */
export const addressUse = z
  .object({
    network: networkName,
    family: z.enum(['ipv4', 'ipv6']),
    range: z.string().meta({ description: 'what is given from: first-last' }),
    size: z.number(),
    used: z.number().int(),
    kept: z.number().int().meta({ description: 'of destroyed containers, held back' }),
    free: z.number(),
  })
  .meta({ id: 'AddressUse' });
export type AddressUse = z.output<typeof addressUse>;

/** A file as it is: null while the root is not available. The digest is SHA-1 of the text in hex, as Proxmox has it. */
const fileText = {
  text: z.string().nullable().meta({ description: 'the file; null: it cannot be read now' }),
  digest: z.string().nullable().meta({ description: 'give it with a change, which is refused when the file is another by then' }),
};

export const networkDetail = networkView.extend(fileText).meta({ id: 'Network' });
export type NetworkDetail = z.output<typeof networkDetail>;
export const serviceDetail = serviceView.extend(fileText).meta({ id: 'Service' });
export type ServiceDetail = z.output<typeof serviceDetail>;

/** A change of a file. */
const text = z
  .string()
  .max(256 * 1024)
  .meta({ description: 'the whole file' });
/** Of what a text is to replace. */
export const textDigest = z
  .string()
  .regex(/^[0-9a-f]{40}$/, 'must be the digest of an answer')
  .optional()
  .meta({ description: 'of the file as it was read; any is replaced when absent' });
export const textRequest = z.strictObject({ text, digest: textDigest }).meta({ id: 'TextRequest' });
export type TextRequest = z.output<typeof textRequest>;
export const networkRequest = textRequest
  .extend({
    allowPlugins: z.boolean().default(true).meta({ description: 'whether the text may name CNI plugins, programs that run as root' }),
  })
  .meta({ id: 'NetworkRequest' });
export type NetworkRequest = z.output<typeof networkRequest>;

/** What came of a change of a file. */
export const fileReceipt = z
  .object({
    file: z.string(),
    digest: z.string().nullable().meta({ description: 'of the file now; null: it is removed' }),
    operation: z.string(),
    message: z.string(),
  })
  .meta({ id: 'FileReceipt' });
export type FileReceipt = z.output<typeof fileReceipt>;

export const settingsDetail = z
  .object({ ...fileText, settings: settingsFile.meta({ description: 'what serves' }), problem: errorView.nullable() })
  .meta({ id: 'SettingsStatus' });
export type SettingsDetail = z.output<typeof settingsDetail>;
