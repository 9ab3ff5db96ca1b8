import { z } from 'zod';
import type { Conflist } from './cni.ts';
import { cidr, ipAddress, later } from './fields.ts';
import { hostDevice, hostInterface, networkName } from './names.ts';

/** Kinds of networks. `cni` is a plain CNI file, `bridge` our own; flannel's, calico's and multus' parts are not built yet. */
export const networkTypes = ['bridge', 'cni', 'cilium', 'flannel', 'calico', 'multus'] as const;

export const ipamKinds = ['sticky', 'host-local'] as const;

const subnet = z
  .strictObject({
    cidr: cidr.meta({ description: 'the subnet', examples: ['10.20.0.0/24'] }),
    gateway: ipAddress.optional().meta({ description: 'address of the bridge in this subnet and gateway of the containers' }),
    range: z
      .string()
      .regex(/^[0-9a-fA-F.:]+-[0-9a-fA-F.:]+$/, 'must be FIRST-LAST')
      .optional()
      .meta({ description: 'addresses that may be given, first-last; all usable ones when absent' }),
  })
  .meta({ id: 'Subnet' });

/** networks/NAME.yaml of type bridge: a Linux bridge of ours that containers join. */
export const bridgeNetworkFile = z
  .strictObject({
    type: z.literal('bridge'),
    bridge: z
      .strictObject({
        name: hostInterface.optional().meta({ description: 'name of the bridge; made from the name of the network when absent' }),
        driver: z.union([z.literal('linux'), later('driver ovs', ['ovs'])]).default('linux'),
        mtu: z.number().int().min(1280).max(65535).optional().meta({ description: 'MTU in bytes; 1500 when absent' }),
        vlan: later('VLANs on an uplink').optional(),
        uplink: later('uplinks').optional(),
      })
      .default({ driver: 'linux' }),
    subnets: z.array(subnet).max(16).default([]),
    ipam: z.union([z.enum(ipamKinds), later('this kind of address management', ['dhcp', 'agent'])]).default('sticky'),
    nat: z.boolean().default(false).meta({ description: 'masquerade what leaves the subnets' }),
    dns: later('names and resolv.conf').optional(),
    policy: later('policies and anti-spoofing').optional(),
  })
  .meta({ id: 'BridgeNetwork' });

export const ciliumModes = ['endpoint', 'chained'] as const;
export const ciliumIpamKinds = ['sticky', 'agent'] as const;

/** networks/NAME.yaml of type cilium: Cilium's own interface, or Cilium chained onto a bridged one. */
export const ciliumNetworkFile = z
  .strictObject({
    type: z.literal('cilium'),
    mode: z.enum(ciliumModes).default('endpoint').meta({
      description: '`endpoint`: Cilium’s own interface; `chained`: identity and policy for a bridged interface, which stays as it is',
    }),
    on: z
      .union([networkName, hostDevice])
      .optional()
      .meta({ description: 'with `chained`: a bridge of the node, such as `vmbr0`, or a bridge network of ours' }),
    subnets: z
      .array(subnet.omit({ gateway: true }))
      .max(16)
      .default([]),
    ipam: z.enum(ciliumIpamKinds).optional().meta({
      description: '`sticky`: addresses of the subnets, ours; `agent`: of the node’s range, the agent’s. `sticky` when there are subnets',
    }),
    nat: z.boolean().default(false).meta({ description: 'masquerade what leaves the subnets for the world' }),
    policy: later('a network’s default policy').optional(),
  })
  .meta({ id: 'CiliumNetwork' });

/** Types that are known and not built yet are refused by name, never as a mere unknown value. */
export const networkFile = z.discriminatedUnion('type', [
  bridgeNetworkFile,
  ciliumNetworkFile,
  ...(['flannel', 'calico', 'multus'] as const).map((type) =>
    z.looseObject({ type: later(`networks of type ${type}`, [type]) as unknown as z.ZodLiteral<typeof type> }),
  ),
] as unknown as [typeof bridgeNetworkFile, typeof ciliumNetworkFile]);

export type BridgeNetworkFile = z.output<typeof bridgeNetworkFile>;
export type CiliumNetworkFile = z.output<typeof ciliumNetworkFile>;
export type Subnet = z.output<typeof subnet>;

interface NetworkBase {
  name: string;
  /** file below the root, for messages: networks/web.yaml */
  file: string;
  /** what is odd but does not keep the network from working */
  warnings: string[];
}

/** A Linux bridge that we make, with our addresses or host-local's. */
export interface BridgeNetwork extends NetworkBase {
  type: 'bridge';
  bridge: { name: string; mtuBytes: number };
  subnets: Subnet[];
  ipam: (typeof ipamKinds)[number];
  nat: boolean;
}

/** A plain CNI configuration list, run as it is. */
export interface CniNetwork extends NetworkBase {
  type: 'cni';
  conflist: Conflist;
}

/** A network that Cilium's agent carries: its own interfaces, or bridged ones that it is chained onto. */
export interface CiliumNetwork extends NetworkBase {
  type: 'cilium';
  mode: (typeof ciliumModes)[number];
  /** chained: the bridge of the node, or the name of the bridge network */
  on: string;
  /** the bridge network of ours that `on` names; null: a bridge of the node, whose interfaces others make */
  base: BridgeNetwork | null;
  subnets: Subnet[];
  ipam: (typeof ciliumIpamKinds)[number];
  nat: boolean;
  /** somebody's own configuration of the plugin; null: ours */
  conflist: Conflist | null;
}

/** A network as everything behind `config/` sees it. */
export type Network = BridgeNetwork | CniNetwork | CiliumNetwork;
