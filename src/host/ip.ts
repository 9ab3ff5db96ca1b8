import { z } from 'zod';
import type { Run } from './run.ts';

const addressList = z.array(
  z.object({
    ifindex: z.number().optional(),
    ifname: z.string().optional(),
    link_netnsid: z.number().optional(),
    link_index: z.number().optional(),
    flags: z.array(z.string()).default([]),
    mtu: z.number().optional(),
    address: z.string().optional(),
    addr_info: z
      .array(
        z.object({
          local: z.string().optional(),
          prefixlen: z.number().optional(),
          scope: z.string().optional(),
          /** it has an end */
          dynamic: z.boolean().default(false),
        }),
      )
      .default([]),
  }),
);
export type IpLink = z.output<typeof addressList>[number];

/** iproute2: changes in batches, observations as JSON. `netns` is a path; '' or absent is the host's own. */
export interface Ip {
  batch(lines: readonly string[], netns?: string): Promise<void>;
  addresses(netns?: string, link?: string): Promise<IpLink[]>;
}

export function createIp(run: Run): Ip {
  const inside = (netns: string | undefined, argv: [string, ...string[]]): [string, ...string[]] =>
    netns ? ['nsenter', `--net=${netns}`, '--', ...argv] : argv;
  return {
    async batch(lines, netns) {
      if (lines.length > 0) await run(inside(netns, ['ip', '-batch', '-']), { input: `${lines.join('\n')}\n` });
    },
    async addresses(netns, link) {
      const text = await run(inside(netns, ['ip', '-json', 'address', 'show', ...(link ? ['dev', link] : [])]));
      return addressList.parse(text.trim() === '' ? [] : JSON.parse(text));
    },
  };
}
