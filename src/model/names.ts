import { z } from 'zod';
import { namePatterns } from './name-patterns.ts';

/** Proxmox's number of a container, 100 to 999999999; under plain LXC it is the container's name in decimal. */
export const vmid = z.number().int().min(100).max(999_999_999).meta({ description: 'number of the container' });

/** The same from a path, an argument or an environment variable: plain decimal digits, nothing else. */
export const vmidText = z.string().regex(namePatterns.vmid, 'must be a container number from 100 to 999999999').transform(Number);

/** Name of an interface inside a container: a Linux interface name (15 bytes, no slash, colon or white space). */
export const ifname = z
  .string()
  .regex(namePatterns.ifname, 'must be a Linux interface name of at most 15 characters')
  .refine((name) => name !== 'lo', 'lo is the loopback interface')
  .meta({ description: 'name of the interface inside the container' });

/** Name of a network: CNI 1.1 section 1 ("Network configuration format"), and short enough for file names. */
export const networkName = z
  .string()
  .regex(namePatterns.network, 'must start with a letter or digit and hold only letters, digits, "_", "." and "-" (63 at most)')
  .meta({ description: 'name of the network' });

/** Name of a service: a label of DNS, as Cilium's agent is told it. */
export const serviceName = z
  .string()
  .regex(namePatterns.service, 'must hold only lower-case letters, digits and "-", and neither begin nor end with "-" (63 at most)')
  .meta({ description: 'name of the service' });

/** `type` of a CNI plugin: the name of a file in a plugin folder, never a path (CVE-2021-20206). */
export const pluginType = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/, 'must be the name of a plugin, not a path');

/** CNI_CONTAINERID, CNI 1.1 section 2 ("Parameters"). */
export const containerId = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/, 'must be a CNI container id');

/** Name of a device that is there on the node. */
export const hostDevice = z.string().regex(/^[a-zA-Z][a-zA-Z0-9_.-]{0,14}$/, 'must be the name of a network device of the node');

/** Name of a host interface that we make: Linux's rule without the names that Proxmox and Cilium own. */
export const hostInterface = z
  .string()
  .regex(/^[a-zA-Z][a-zA-Z0-9_.-]{0,14}$/, 'must be a Linux interface name of at most 15 characters that starts with a letter')
  .refine(
    (name) => !/^(vmbr|bond|fwbr|fwln|fwpr|tap\d|veth|lxc|cilium|ln_|pr_|sv_|vxlan_|vrf_|eth|en[opsx])/.test(name),
    'is a name that Proxmox, Cilium or the node itself uses',
  );
