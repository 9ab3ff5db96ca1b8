import { z } from 'zod';
import { ipAddress, later } from './fields.ts';
import { labels } from './labels.ts';
import { ifname, networkName } from './names.ts';

export const onFailure = z.enum(['refuse', 'start']);

/** One interface of a container: what it joins, and with which address. */
export const containerInterface = z
  .strictObject({
    name: ifname,
    network: networkName,
    address: z
      .union([z.literal('auto'), z.array(ipAddress).min(1).max(8)])
      .default('auto')
      .meta({ description: '`auto`, or the fixed addresses without prefix length' }),
    defaultRoute: z.boolean().optional().meta({ description: 'whether the default route goes here; the first interface when absent' }),
    ports: later('host ports').optional(),
    bandwidth: later('bandwidth limits').optional(),
  })
  .meta({ id: 'ContainerInterface' });

/** containers/VMID.yaml */
export const containerFile = z
  .strictObject({
    interfaces: z
      .array(containerInterface)
      .max(64)
      .refine((list) => new Set(list.map((one) => one.name)).size === list.length, 'two interfaces have the same name')
      .refine((list) => list.filter((one) => one.defaultRoute).length <= 1, 'two interfaces want the default route'),
    labels: labels.optional(),
    dns: later('names and resolv.conf').optional(),
    onFailure: onFailure.default('refuse').meta({ description: '`refuse`: no network, no start; `start`: start without' }),
  })
  .meta({ id: 'Container' });

export type ContainerInterface = z.output<typeof containerInterface>;
export type ContainerFile = z.output<typeof containerFile>;

/** A container as everything behind `config/` sees it. */
export interface ContainerConfig extends ContainerFile {
  vmid: number;
}
