import { z } from 'zod';
import { serviceView } from '../../model/api.ts';
import { serviceName } from '../../model/names.ts';
import { route } from '../route.ts';

export const loadBalancingRoutes = [
  route({
    method: 'get',
    path: '/v1/services',
    tag: 'services',
    summary: 'All services that are balanced, with their backends',
    answer: z.array(serviceView),
    handle: ({ manager }) => manager.services(),
  }),
  route({
    method: 'get',
    path: '/v1/services/:name',
    tag: 'services',
    summary: 'One service',
    params: z.strictObject({ name: serviceName }),
    answer: serviceView,
    errors: ['SERVICE_UNKNOWN'],
    handle: ({ manager }, { params }) => manager.service(params.name),
  }),
];
