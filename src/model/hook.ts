import { z } from 'zod';
import { vmid } from './names.ts';

/** Phases of both doors: Proxmox's hookscript (pre-start, post-start, pre-stop, post-stop) and LXC (start-host, stop). */
export const hookPhases = ['pre-start', 'start-host', 'post-start', 'pre-stop', 'stop', 'post-stop'] as const;
export type HookPhase = (typeof hookPhases)[number];

/** What a hook saw. `pid` is init's (start-host); `netns` a path that LXC holds open (stop). */
export const hookRequest = z
  .strictObject({
    vmid,
    pid: z.number().int().min(2).optional(),
    netns: z
      .string()
      .regex(/^\/proc\/[0-9]{1,10}\/fd\/[0-9]{1,10}$/, 'must be /proc/PID/fd/N')
      .optional(),
    target: z.enum(['stop', 'reboot']).optional(),
  })
  .meta({ id: 'HookRequest' });
export type HookRequest = z.output<typeof hookRequest>;

/** Answer to a hook: one sentence for the task log (may be empty), and warnings in the same form. */
export interface HookAnswer {
  message: string;
  warnings: string[];
}
