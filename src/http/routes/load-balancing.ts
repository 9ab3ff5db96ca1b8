import { z } from 'zod';
import { serviceView } from '../../model/api.ts';
import { serviceName } from '../../model/names.ts';
import { fileReceipt, serviceDetail, textRequest } from '../../model/panel-api.ts';
import { route } from '../route.ts';
import { ofTexts } from './settings.ts';

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
  route({
    method: 'put',
    path: '/v1/services/:name',
    tag: 'services',
    summary: 'Write a service’s file; nothing is written when it would not serve',
    params: z.strictObject({ name: serviceName }),
    body: textRequest,
    answer: fileReceipt,
    errors: ofTexts,
    handle: ({ manager }, { params, body, requester }) => manager.applyService(params.name, body, requester),
  }),
  route({
    method: 'delete',
    path: '/v1/services/:name',
    tag: 'services',
    summary: 'Move a service’s file to archive/',
    params: z.strictObject({ name: serviceName }),
    answer: fileReceipt,
    errors: ['SERVICE_UNKNOWN', 'CONFIG_UNAVAILABLE'],
    handle: ({ manager }, { params, requester }) => manager.removeService(params.name, requester),
  }),
];
