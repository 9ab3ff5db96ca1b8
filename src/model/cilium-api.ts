import { z } from 'zod';
import { errorCodes } from './error-codes.ts';

/** Shapes of Cilium's part of the API. */

const flag = z.object({
  flag: z.string(),
  wanted: z.string().nullable(),
  onDisk: z.string().nullable(),
  running: z.string().nullable().meta({ description: 'null: the agent does not answer, or does not say' }),
});

export const ciliumConfigView = z
  .object({
    folder: z.string().meta({ description: 'one file a flag' }),
    nodeAddress: z.string(),
    flags: z.record(z.string(), z.string()).meta({ description: 'what the settings make of the agent' }),
    differences: z.array(flag),
    needsRestart: z.boolean().meta({ description: 'the agent runs with something else than the files say' }),
    written: z.array(z.string()).meta({ description: 'flags that this request changed on the disk' }),
  })
  .meta({ id: 'CiliumConfig' });
export type CiliumConfigView = z.output<typeof ciliumConfigView>;

export const ciliumConfigRequest = z.strictObject({}).meta({ id: 'CiliumConfigRequest' });

/** A reference of an image in a registry: HOST[:PORT]/NAME[:TAG][@DIGEST]. */
const imageReference = z
  .string()
  .max(512)
  .regex(
    /^[a-z0-9][a-z0-9.-]*(:\d{1,5})?(\/[a-z0-9][a-z0-9._-]*)+(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@sha256:[0-9a-f]{64})?$/,
    'must be HOST/NAME:TAG, such as quay.io/cilium/cilium:v1.20.2',
  );

export const ciliumInstallRequest = z
  .strictObject({
    image: imageReference.optional().meta({ description: 'where the agent is fetched from; Cilium’s official image when absent' }),
    binaries: z
      .string()
      .regex(/^\/[^\0]*$/, 'must be an absolute path')
      .optional()
      .meta({ description: 'a folder of this node with cilium-agent, cilium-cni, cilium-dbg and bpf/, in place of an image' }),
    force: z.boolean().default(false).meta({ description: 'in spite of what the preflight finds' }),
  })
  .refine(({ image, binaries }) => image === undefined || binaries === undefined, 'image and binaries exclude each other')
  .meta({ id: 'CiliumInstallRequest' });
export type CiliumInstallRequest = z.output<typeof ciliumInstallRequest>;

export const ciliumUninstallRequest = z
  .strictObject({ force: z.boolean().default(false).meta({ description: 'even while containers use Cilium: they lose their network' }) })
  .meta({ id: 'CiliumUninstallRequest' });

export const ciliumKeyRequest = z
  .strictObject({ force: z.boolean().default(false).meta({ description: 'even while nodes may still be taking up the last key' }) })
  .meta({ id: 'CiliumKeyRequest' });
export const ciliumKeyView = z.object({ operation: z.string(), number: z.number().int(), message: z.string() }).meta({ id: 'CiliumKey' });
export type CiliumKeyView = z.output<typeof ciliumKeyView>;

/** Long work on the agent: what is done, what is being done. */
export const ciliumWorkView = z
  .object({
    operation: z.string(),
    what: z.enum(['install', 'upgrade', 'uninstall']),
    steps: z.array(
      z.object({ name: z.string(), state: z.enum(['running', 'done', 'failed']), message: z.string(), durationMs: z.number() }),
    ),
    state: z.enum(['running', 'done', 'failed']),
    message: z.string(),
    error: z.object({ code: z.enum(Object.keys(errorCodes) as [keyof typeof errorCodes]), message: z.string() }).nullable(),
  })
  .meta({ id: 'CiliumWork' });
export type CiliumWorkView = z.output<typeof ciliumWorkView>;

const unit = z.object({ name: z.string(), state: z.string().meta({ description: 'as systemd names it; `absent`, `no systemd`' }) });

export const ciliumStatusView = z
  .object({
    state: z.enum(['ok', 'degraded', 'unreachable', 'off']).meta({ description: '`off`: nothing is installed and no agent answers' }),
    installed: z
      .object({ version: z.string(), from: z.string(), digest: z.string().nullable(), folder: z.string(), time: z.iso.datetime() })
      .nullable(),
    units: z.array(unit),
    agent: z
      .object({
        version: z.string().nullable(),
        state: z.string(),
        message: z.string(),
        kvstore: z.string(),
        hubble: z.string(),
        addresses: z.string(),
        routing: z.string(),
        masquerading: z.string(),
        attachMode: z.string(),
        encryption: z.string(),
        endpoints: z.object({ total: z.number().int(), ready: z.number().int() }),
        failingControllers: z.array(z.object({ name: z.string(), failures: z.number().int(), message: z.string() })),
        nodes: z.array(z.object({ name: z.string(), address: z.string(), range: z.string() })),
        peers: z.array(
          z.object({
            node: z.string(),
            address: z.string(),
            key: z.string(),
            lastHandshake: z.string(),
            sentBytes: z.number(),
            receivedBytes: z.number(),
          }),
        ),
      })
      .nullable(),
    differences: z
      .array(z.object({ what: z.string(), wanted: z.string(), is: z.string(), cure: z.string() }))
      .meta({ description: 'between what the settings want and what is' }),
  })
  .meta({ id: 'CiliumStatus' });
export type CiliumStatusView = z.output<typeof ciliumStatusView>;
