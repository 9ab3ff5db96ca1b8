import { z } from 'zod';
import { flowLine, flowQuery, flowsView } from '../../model/flow-api.ts';
import { route, streamRoute } from '../route.ts';

const number = (pattern: RegExp, rule: string) => z.string().regex(pattern, rule);

export const flowRoutes = [
  route({
    method: 'get',
    path: '/v1/flows',
    tag: 'flows',
    summary: 'Flows that are kept, newest first',
    query: flowQuery.extend({
      limit: number(/^[1-9][0-9]{0,3}$/, 'must be a number from 1 to 9999')
        .default('100')
        .transform(Number),
      before: number(/^[0-9]{1,15}$/, 'must be `next` of an answer')
        .transform(Number)
        .optional(),
    }),
    answer: flowsView,
    handle: ({ manager }, { query: { limit, before, ...filter }, signal }) => manager.flows(filter, { limit, before }, signal),
  }),
  streamRoute({
    method: 'get',
    path: '/v1/flows/follow',
    tag: 'flows',
    summary: 'The last kept flows, then new ones as they come, one JSON object a line, until the client goes away',
    query: flowQuery.extend({
      last: number(/^[0-9]{1,4}$/, 'must be a number up to 9999')
        .default('0')
        .transform(Number),
    }),
    answer: flowLine,
    lines: ({ manager }, { query: { last, ...filter }, signal }) => manager.followFlows(filter, { last }, signal),
  }),
];
