import { z } from 'zod';
import { hookAnswer, hookPhase } from '../../model/api.ts';
import { hookRequest } from '../../model/hook.ts';
import { route } from '../route.ts';
import { plainText } from '../text.ts';

/** What the hooks of LXC and of Proxmox report. First in the table: a container's start waits for it. */
export const hookRoutes = [
  route({
    method: 'post',
    path: '/v1/hooks/:phase',
    tag: 'hooks',
    summary: 'Report a phase of a container’s life; the answer comes when what it asks for is done',
    params: z.strictObject({ phase: hookPhase }),
    body: hookRequest,
    answer: hookAnswer,
    media: ['application/json', 'text/plain'],
    asText: ({ message, warnings }) => plainText([message, ...warnings.map((warning) => `warning: ${warning}`)]),
    errors: ['CNI_PLUGIN_FAILED', 'CNI_CANCELLED', 'IPAM_POOL_EXHAUSTED', 'NETNS_SHARED', 'OPERATION_TIMEOUT', 'STATE_WRITE_FAILED'],
    handle: ({ manager }, { params, body, requester, signal }) => manager.hook(params.phase, body, requester, signal),
  }),
];
