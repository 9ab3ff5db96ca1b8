import { z } from 'zod';
import { addressView, operationView } from '../../model/api.ts';
import { namePatterns } from '../../model/name-patterns.ts';
import { networkName, vmidText } from '../../model/names.ts';
import { route } from '../route.ts';

const operationId = z.string().regex(namePatterns.operation, 'must be the id of an operation');
const limit = z
  .string()
  .regex(/^[1-9][0-9]{0,3}$/, 'must be a number from 1 to 9999')
  .default('50')
  .transform(Number);

/** What is written down: who has which address, and who did what. */
export const recordRoutes = [
  route({
    method: 'get',
    path: '/v1/addresses',
    tag: 'records',
    summary: 'Addresses that are reserved or kept back',
    query: z.strictObject({ network: networkName.optional() }),
    answer: z.array(addressView),
    handle: ({ manager }, { query }) => manager.addresses(query),
  }),
  route({
    method: 'get',
    path: '/v1/operations',
    tag: 'records',
    summary: 'The audit log, newest first, without spans and texts',
    query: z.strictObject({
      vmid: vmidText.optional(),
      limit,
      before: operationId.optional().meta({ description: 'those that began before this one: the last of the page before' }),
    }),
    answer: z.array(operationView),
    handle: ({ manager }, { query }) => manager.operations(query),
  }),
  route({
    method: 'get',
    path: '/v1/operations/:id',
    tag: 'records',
    summary: 'One operation with its spans',
    params: z.strictObject({ id: operationId }),
    answer: operationView,
    errors: ['OPERATION_UNKNOWN'],
    handle: ({ manager }, { params }) => manager.operation(params.id),
  }),
];
