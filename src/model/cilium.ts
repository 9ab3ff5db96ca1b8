import { z } from 'zod';
import { cidr, ipAddress } from './fields.ts';
import { hostDevice } from './names.ts';

/** The Cilium that the agent's configuration, its API and its files are known of. Others of this minor version are let pass. */
export const ciliumVersion = '1.20.2';
/** Where the agent comes from when nothing else is said: Cilium's official image. */
export const ciliumImage = `quay.io/cilium/cilium:v${ciliumVersion}`;

const absolutePath = z.string().regex(/^\/[^\0]*$/, 'must be an absolute path');
const ipv4Cidr = cidr.refine((text) => !text.includes(':'), 'must be an IPv4 range, such as 10.244.1.0/24');
const ipv6Cidr = cidr.refine((text) => text.includes(':'), 'must be an IPv6 range, such as fd00:244:1::/112');

const ciliumRoutings = ['tunnel', 'native'] as const;
const ciliumEncryptions = ['none', 'wireguard', 'ipsec'] as const;

const etcdCluster = z.strictObject({
  endpoints: z
    .array(z.string().regex(/^https?:\/\/[^\s/@]+$/, 'must be http://HOST:PORT or https://HOST:PORT, without a password'))
    .min(1)
    .max(16),
  caFile: absolutePath.optional().meta({ description: 'certificates that the servers are checked by' }),
  certFile: absolutePath.optional().meta({ description: 'certificate of this client' }),
  keyFile: absolutePath.optional().meta({ description: 'key of that certificate' }),
});

/** `cilium` of pve-cnid.yaml: the agent of this node, and where it is reached. */
export const ciliumSettings = z
  .strictObject({
    devices: z
      .array(hostDevice)
      .max(16)
      .default([])
      .meta({ description: 'devices of the node that other nodes and the world are reached through, such as `[vmbr0]`' }),
    nodeAddress: ipAddress
      .optional()
      .meta({ description: 'address that other nodes reach this one at; the first of the first device when absent' }),
    ipv4Range: ipv4Cidr.optional().meta({ description: 'range of this node, for `ipam: agent`; one for each node' }),
    ipv6Range: ipv6Cidr.optional().meta({ description: 'the same for IPv6; absent: no IPv6' }),
    routing: z
      .enum(ciliumRoutings)
      .default('tunnel')
      .meta({ description: '`tunnel`: VXLAN between nodes; `native`: the nodes are on one link and route' }),
    nativeRange: ipv4Cidr.optional().meta({
      description: 'with `native`: what is reached without masquerading: all nodes’ ranges and the subnets of networks that Cilium carries',
    }),
    masquerade: z.boolean().default(true).meta({ description: 'masquerade what leaves for the world' }),
    dnsPolicies: z.boolean().default(false).meta({ description: 'run the agent’s DNS proxy, which `toFQDNs` and DNS rules need' }),
    encryption: z.enum(ciliumEncryptions).default('none').meta({ description: 'of what goes from node to node' }),
    etcd: z
      .union([z.literal('embedded'), etcdCluster])
      .default('embedded')
      .meta({ description: '`embedded`: one of this node alone; else the cluster’s endpoints' }),
    unusedIdentityMinutes: z
      .number()
      .positive()
      .max(10_080)
      .default(15)
      .meta({ description: 'minutes that nobody has used an identity before it is removed from etcd' }),
    clusterName: z
      .string()
      .regex(/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/, 'must be lower-case letters, digits and "-", 32 at most')
      .default('default')
      .meta({ description: 'name of the cluster, the same on all its nodes' }),
    socket: absolutePath.default('/run/cilium/cilium.sock').meta({ description: 'socket of the agent' }),
    hubbleSocket: absolutePath.default('/run/cilium/hubble.sock').meta({ description: 'socket of Hubble' }),
    etcDir: absolutePath
      .default('/etc')
      .meta({ description: 'folder whose `systemd/system` and `sysctl.d` an installation of the agent writes to' }),
    metricsPort: z.number().int().min(1).max(65535).default(9962).meta({ description: 'port of the agent’s metrics, on loopback' }),
    healthPort: z.number().int().min(1).max(65535).default(9879).meta({ description: 'port of the agent’s health, on loopback' }),
  })
  .meta({ id: 'Cilium' });

export type CiliumSettings = z.output<typeof ciliumSettings>;
