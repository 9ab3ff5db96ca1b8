import { z } from 'zod';

/** Answer of `pve-cni setup`: every thing that it cares for, and what it did about it. */
export const setupView = z
  .object({
    dryRun: z.boolean(),
    steps: z.array(
      z.object({
        what: z.string(),
        state: z.enum(['kept', 'made', 'renewed', 'would be made', 'would be renewed', 'missing']),
        message: z.string(),
      }),
    ),
  })
  .meta({ id: 'Setup' });
export type SetupView = z.output<typeof setupView>;
export type SetupStep = SetupView['steps'][number];

export const setupRequest = z.strictObject({ dryRun: z.boolean().default(false) }).meta({ id: 'SetupRequest' });
