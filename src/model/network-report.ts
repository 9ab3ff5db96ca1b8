import { z } from 'zod';
import { networkName } from './names.ts';

/** `nodes/NODE.json` below the root: which networks a node can make. Each node writes its own, whenever it changes. */
export const networkReport = z.object({
  node: z.string().max(63),
  /** epoch ms */
  since: z.number(),
  networks: z.array(z.object({ name: networkName, ready: z.boolean(), message: z.string().max(1000) })).max(10_000),
});
export type NetworkReport = z.output<typeof networkReport>;
