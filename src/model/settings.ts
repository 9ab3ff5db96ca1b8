import { z } from 'zod';
import { ciliumSettings } from './cilium.ts';
import { later } from './fields.ts';
import { identityTags } from './labels.ts';

/** settings.yaml, one for the cluster. */
export const settingsFile = z
  .strictObject({
    releaseAfterHours: z
      .number()
      .min(0)
      .max(8760)
      .default(24)
      .meta({ description: 'hours that the addresses of a destroyed container are kept back' }),
    identityTags,
    flows: z
      .strictObject({
        retentionDays: z.number().min(0).max(3650).default(7).meta({ description: 'days that a flow is kept; 0: none is kept' }),
        maxMegabytes: z
          .number()
          .int()
          .min(8)
          .max(1_048_576)
          .default(512)
          .meta({ description: 'size of the file; the oldest flows go first' }),
      })
      .prefault({})
      .meta({ description: 'what containers sent and received, as Cilium saw it: `flows.db` of each node' }),
    firewall: later('firewall rules').optional(),
  })
  .meta({ id: 'Settings' });

export type Settings = z.output<typeof settingsFile>;

const absolutePath = z.string().regex(/^\/[^\0]*$/, 'must be an absolute path');

const proxmoxSettings = z.strictObject({
  toolDirs: z
    .array(absolutePath)
    .min(1)
    .default(['/usr/sbin', '/usr/bin'])
    .meta({ description: 'folders of `pct` and `pveum`; `/usr/sbin`, `/usr/bin` when absent' }),
  snippet: absolutePath
    .default('/var/lib/vz/snippets/pve-cni-hook')
    .meta({ description: 'file of the hookscript that containers name `local:snippets/pve-cni-hook`' }),
  api: z
    .strictObject({
      host: z
        .string()
        .regex(/^[a-zA-Z0-9.:-]{1,253}$/, 'must be an address or a host name')
        .default('127.0.0.1'),
      port: z.number().int().min(1).max(65535).default(8006),
      everySeconds: z.number().min(1).max(3600).default(60),
    })
    .prefault({})
    .meta({
      description: 'this node’s own API, which is asked for the state of containers on other nodes; its certificate must be this node’s',
    }),
});

/** /etc/pve-cni/pve-cnid.yaml, one for each node. Read once, at start. */
export const nodeFile = z
  .strictObject({
    root: absolutePath.meta({ description: 'folder of networks/, containers/ and settings.yaml' }),
    stateDir: absolutePath.default('/var/lib/pve-cni').meta({ description: 'folder of the state, `state.db`' }),
    runDir: absolutePath.default('/run/pve-cni').meta({ description: 'folder of the socket' }),
    netnsDir: absolutePath.default('/run/netns').meta({ description: 'folder that `ip netns` looks into' }),
    cniCacheDir: absolutePath.default('/var/lib/cni').meta({ description: 'folder of the results that CNI runtimes keep' }),
    pluginDirs: z
      .array(absolutePath)
      .min(1)
      .default(['/opt/cni/bin', '/usr/lib/cni'])
      .meta({ description: 'folders of the plugins, the first that has one wins; `/opt/cni/bin`, `/usr/lib/cni` when absent' }),
    lxcPath: absolutePath.default('/var/lib/lxc').meta({ description: 'where LXC keeps its containers' }),
    pveDir: absolutePath
      .default('/etc/pve')
      .meta({ description: 'where Proxmox mounts its cluster filesystem; there is no Proxmox when it does not exist' }),
    metrics: z
      .strictObject({ listen: z.string().regex(/^(127\.\d+\.\d+\.\d+|\[::1\]|[0-9a-fA-F.:[\]]+):\d{1,5}$/, 'must be ADDRESS:PORT') })
      .optional()
      .meta({ description: 'TCP address that metrics are served on, besides the socket' }),
    tracing: z.strictObject({ otlp: z.url() }).optional().meta({ description: 'OTLP/HTTP endpoint that operations are exported to' }),
    auditLog: absolutePath
      .optional()
      .meta({ description: 'file that every ended operation is appended to as a line of JSON; `operation list` does not need it' }),
    log: z.strictObject({ level: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info') }).default({ level: 'info' }),
    parallel: z.number().int().min(1).max(64).default(8).meta({ description: 'operations that run at once' }),
    reconcileSeconds: z
      .number()
      .min(0.1)
      .max(3600)
      .default(60)
      .meta({ description: 'seconds between two comparisons of all that is with all that should be' }),
    livenessSeconds: z.number().min(0.1).max(60).default(5).meta({ description: 'seconds between two looks whether containers still run' }),
    timeouts: z
      .strictObject({
        pluginSeconds: z.number().positive().max(300).default(30),
        operationSeconds: z.number().positive().max(600).default(45),
        stopSeconds: z.number().positive().max(60).default(5),
      })
      .default({ pluginSeconds: 30, operationSeconds: 45, stopSeconds: 5 }),
    proxmox: proxmoxSettings.prefault({}).meta({ description: 'what of Proxmox the service uses besides its cluster filesystem' }),
    cilium: ciliumSettings.prefault({}).meta({ description: 'Cilium on this node' }),
  })
  .meta({ id: 'Node' });

export type NodeConfig = z.output<typeof nodeFile>;
