import { z } from 'zod';
import { serviceView } from '../../model/api.ts';
import { serviceName } from '../../model/names.ts';
import { serviceDetail } from '../../model/panel-api.ts';
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
    summary: 'One service, with the text of its file',
    params: z.strictObject({ name: serviceName }),
    answer: serviceDetail,
    errors: ['SERVICE_UNKNOWN'],
    handle: ({ manager }, { params }) => manager.service(params.name),
  }),
];
