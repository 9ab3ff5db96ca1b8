import { z } from 'zod';

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
