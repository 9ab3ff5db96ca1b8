import { z } from 'zod';
import { ipAddress } from './fields.ts';
import { serviceName } from './names.ts';

export const serviceProtocols = ['tcp', 'udp'] as const;
export const affinities = ['none', 'client'] as const;

const port = z.number().int().min(1).max(65535);

const servicePort = z
  .strictObject({
    port: port.meta({ description: 'port of the service' }),
    target: port.optional().meta({ description: 'port of the backends; `port` when absent' }),
    protocol: z.enum(serviceProtocols).default('tcp'),
  })
  .meta({ id: 'ServicePort' });

/** Keys and values as Kubernetes' labels are, with our `tag/…`. */
const labelKey = z
  .string()
  .regex(
    /^(?=.{1,317}$)([a-zA-Z0-9][a-zA-Z0-9.-]*\/)?[a-zA-Z0-9]([a-zA-Z0-9_.-]{0,61}[a-zA-Z0-9])?$/,
    'must be a label key: letters, digits, "-", "_" and "."',
  );
const labelValue = z
  .string()
  .regex(/^([a-zA-Z0-9]([a-zA-Z0-9_.-]{0,61}[a-zA-Z0-9])?)?$/, 'must be a label value: at most 63 letters, digits, "-", "_" and "."');

const health = z
  .strictObject({
    http: z
      .string()
      .regex(/^\/[\x21-\x7e]{0,255}$/, 'must be a path that begins with "/"')
      .optional()
      .meta({ description: 'path that must be answered with 200 to 399' }),
    tcp: z.literal(true).optional().meta({ description: 'a connection must be taken' }),
    port: port.optional().meta({ description: 'port that is asked; the first TCP port’s target when absent' }),
    intervalSeconds: z.number().min(1).max(3600).default(5),
    timeoutSeconds: z.number().min(0.1).max(60).default(2).meta({ description: 'an answer that takes longer is none' }),
  })
  .refine(({ http, tcp }) => (http === undefined) !== (tcp === undefined), 'needs one of http and tcp')
  .meta({ id: 'ServiceHealth' });

/** services/NAME.yaml */
export const serviceFile = z
  .strictObject({
    address: ipAddress.optional().meta({
      description: 'virtual address that containers on Cilium reach the service at; it, `nodePort` or both must be there',
      examples: ['10.96.0.10'],
    }),
    nodePort: z
      .number()
      .int()
      .min(30_000)
      .max(32_767)
      .optional()
      .meta({ description: 'port that every node serves at all its addresses, for everybody; of a service with one port of a protocol' }),
    ports: z
      .array(servicePort)
      .min(1)
      .max(32)
      .refine(
        (list) => new Set(list.map(({ port, protocol }) => `${port}/${protocol}`)).size === list.length,
        'two ports have the same number and protocol',
      ),
    backends: z.strictObject({
      matchLabels: z
        .record(labelKey, labelValue)
        .refine((labels) => Object.keys(labels).length > 0, 'needs at least one label')
        .meta({ description: 'containers that have all these labels are the backends' }),
    }),
    affinity: z
      .enum(affinities)
      .default('none')
      .meta({ description: '`client`: a client stays with its backend, for three hours after it was last heard of' }),
    health: health.optional().meta({ description: 'how backends are checked; absent: a running container is one' }),
  })
  .refine(({ address, nodePort }) => address !== undefined || nodePort !== undefined, 'needs an address, a nodePort or both')
  .meta({ id: 'Service' });

export type ServiceFile = z.output<typeof serviceFile>;
export type ServicePort = z.output<typeof servicePort>;

/** A service as everything behind `config/` sees it. */
export interface Service {
  name: string;
  /** file below the root: services/web.yaml */
  file: string;
  /** canonical; null: it has a node port alone */
  address: string | null;
  nodePort: number | null;
  ports: { port: number; target: number; protocol: (typeof serviceProtocols)[number] }[];
  matchLabels: Readonly<Record<string, string>>;
  affinity: (typeof affinities)[number];
  health: ServiceHealth | null;
}

export interface ServiceHealth {
  check: { kind: 'http'; path: string } | { kind: 'tcp' };
  port: number;
  intervalMs: number;
  timeoutMs: number;
}

/** What a node tells the others of its own containers. */
export const backendReport = z.object({
  backends: z
    .array(
      z.object({
        service: serviceName,
        address: z.string().max(64),
        up: z.boolean(),
        reason: z.string().max(500),
        /** epoch ms of that node's clock */
        since: z.number(),
      }),
    )
    .max(20_000),
});
export type BackendReport = z.output<typeof backendReport>;
