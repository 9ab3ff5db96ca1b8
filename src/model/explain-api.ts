import { z } from 'zod';
import { checkView } from './api.ts';
import { vmid } from './names.ts';

/** Shapes of questions about policies that nobody has to be asked for: what a change would do, and why a connection is let through. */

export const policyDiff = z
  .object({
    name: z.string().nullable().meta({ description: 'null: the text does not say it' }),
    before: z.string().nullable().meta({ description: 'the file now; null: it is new' }),
    after: z.string(),
    diff: z.string().meta({ description: 'unified; empty: nothing changes' }),
    selects: z.object({ before: z.array(vmid), after: z.array(vmid) }).meta({ description: 'containers that it is about, now and then' }),
    findings: checkView.shape.results.meta({ description: 'what is wrong with it, or would not be enforced' }),
  })
  .meta({ id: 'PolicyDiff' });
export type PolicyDiff = z.output<typeof policyDiff>;

const endPattern = /^([1-9][0-9]{2,8}|world|host|[0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$/;
const end = z
  .string()
  .max(45)
  .regex(endPattern, 'must be the number of a container, world, host, or an address')
  .meta({ description: 'a container, `world`, `host` (this node), or an address' });
const explainProtocols = ['tcp', 'udp', 'icmp', 'icmpv6'] as const;

export const explainQuery = z
  .strictObject({
    from: end,
    to: end,
    port: z
      .string()
      .regex(/^[0-9]{1,5}$/, 'must be a port from 0 to 65535')
      .transform(Number)
      .refine((port) => port <= 65_535, 'must be a port from 0 to 65535')
      .optional()
      .meta({ description: 'of the receiver; the type of ICMP, a question for an echo when absent' }),
    protocol: z.enum(explainProtocols).default('tcp'),
  })
  .refine(({ port, protocol }) => port !== undefined || protocol.startsWith('icmp'), { message: 'is missing', path: ['port'] });
export type ExplainQuery = z.output<typeof explainQuery>;

const rule = z.object({ policy: z.string(), rule: z.string().nullable().meta({ description: '`ingress[0]`; null: its default deny' }) });

export const explanation = z
  .object({
    verdict: z.enum(['allow', 'deny']),
    enforced: z.boolean().meta({ description: 'whether something enforces what was said, at every end that is a container' }),
    by: rule.nullable().meta({ description: 'what decided; null: no policy speaks of it' }),
    sentence: z.string(),
    nearest: rule
      .extend({ change: z.string().meta({ description: 'what of it would have to be different' }) })
      .nullable()
      .meta({ description: 'the rule that is nearest to allowing it' }),
  })
  .meta({ id: 'Explanation' });
export type Explanation = z.output<typeof explanation>;
