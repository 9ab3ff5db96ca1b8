import { z } from 'zod';
import { flowDirections, flowLossPlaces, flowOrigins, flowPeers, flowProtocols, flowVerdicts } from './flow.ts';

/** Shapes of flows on the socket. Times are ISO-8601 in UTC here, epoch ms inside. */

const time = z.iso.datetime();

const flowEnd = z
  .object({
    kind: z
      .enum(flowPeers)
      .meta({ description: '`host`: this node; `node`: another one; `endpoint`: no container of ours, but with labels' }),
    vmid: z.number().int().nullable(),
    name: z.string().meta({ description: 'of a container; of the world: a DNS name that led there; of an endpoint: its labels' }),
    address: z.string(),
    port: z.number().int().nullable(),
  })
  .meta({ id: 'FlowEnd' });
export type FlowEndView = z.output<typeof flowEnd>;

export const flowView = z
  .object({
    id: z.number().int().nullable().meta({ description: 'of those that are kept, rising with time' }),
    time,
    origin: z.enum(flowOrigins),
    verdict: z.enum(flowVerdicts),
    direction: z.enum(flowDirections).nullable().meta({ description: 'as seen from the container at whose interface it was seen' }),
    protocol: z.enum(flowProtocols),
    from: flowEnd,
    to: flowEnd,
    reason: z.string().meta({ description: 'why it was dropped' }),
    policies: z.array(z.string()).meta({ description: 'those that decided, as far as it is told' }),
    detail: z.string(),
  })
  .meta({ id: 'Flow' });
export type FlowView = z.output<typeof flowView>;

export const flowLossView = z
  .object({
    place: z.enum(flowLossPlaces),
    since: time,
    until: time,
    count: z.number().int().nullable().meta({ description: 'null: nobody knows how many' }),
  })
  .meta({ id: 'FlowLoss' });
export type FlowLossView = z.output<typeof flowLossView>;

export const flowsView = z
  .object({
    flows: z.array(flowView).meta({ description: 'newest first' }),
    next: z.number().int().nullable().meta({ description: 'give it as `before` for those that are older; null: there are none' }),
    losses: z.array(flowLossView).meta({ description: 'where flows are missing in the time of this page' }),
  })
  .meta({ id: 'Flows' });
export type FlowsView = z.output<typeof flowsView>;

/** One line of what is followed. */
export const flowLine = z
  .discriminatedUnion('type', [
    flowView.extend({ type: z.literal('flow') }).meta({ id: 'FlowLineFlow' }),
    flowLossView.extend({ type: z.literal('loss') }).meta({ id: 'FlowLineLoss' }),
  ])
  .meta({ id: 'FlowLine' });
export type FlowLine = z.output<typeof flowLine>;

/** Part of the status of the service. */
export const flowStatus = z.object({
  hubble: z
    .enum(['off', 'absent', 'connected', 'away'])
    .meta({ description: '`off`: nobody wants flows; `absent`: no Hubble here; `away`: it is there and does not answer' }),
  kept: z.number().int(),
  bytes: z.number().int(),
  lost: z.number().int().meta({ description: 'since the service started' }),
  gaps: z.number().int().meta({ description: 'times that flows were missed, nobody knows how many' }),
  problem: z.string().nullable(),
});
export type FlowStatusView = z.output<typeof flowStatus>;

const verdicts = z
  .string()
  .transform((text) => text.split(','))
  .pipe(z.array(z.enum(flowVerdicts)).min(1).max(flowVerdicts.length));

/** What flows are asked for by, as a query. */
export const flowQuery = z.strictObject({
  container: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/, 'must be the number or name of a container')
    .optional()
    .meta({ description: 'number or name of a container, at either end' }),
  verdict: verdicts.optional().meta({ description: 'one or several, separated by commas' }),
  port: z
    .string()
    .regex(/^[0-9]{1,5}$/, 'must be a port')
    .transform(Number)
    .pipe(z.number().int().min(0).max(65_535))
    .optional(),
  protocol: z.enum(flowProtocols).optional(),
  direction: z.enum(flowDirections).optional(),
  since: time
    .transform((text) => Date.parse(text))
    .optional()
    .meta({ description: 'not older than this' }),
});
