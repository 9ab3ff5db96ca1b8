import { checkView, doctorView, gcRequest, gcView, statusView } from '../../model/api.ts';
import { setupRequest, setupView } from '../../model/setup.ts';
import { route } from '../route.ts';

export const serviceRoutes = [
  route({
    method: 'get',
    path: '/v1/status',
    tag: 'service',
    summary: 'The service and the node in short',
    answer: statusView,
    handle: ({ manager }) => manager.status(),
  }),
  route({
    method: 'get',
    path: '/v1/doctor',
    tag: 'service',
    summary: 'Check everything the product needs, each check with its cure',
    answer: doctorView,
    handle: ({ manager }) => manager.doctor(),
  }),
  route({
    method: 'post',
    path: '/v1/setup',
    tag: 'service',
    summary: 'Make what a node of Proxmox needs once: folders of the root, and access to Proxmox’s API with the least rights',
    body: setupRequest,
    answer: setupView,
    errors: ['CONFIG_UNAVAILABLE', 'PROXMOX_UNAVAILABLE', 'PROXMOX_API_UNAVAILABLE', 'CLUSTER_LOCKED', 'TOOL_FAILED', 'TOOL_MISSING'],
    handle: ({ manager }, { body, requester }) => manager.setup(body, requester),
  }),
  route({
    method: 'post',
    path: '/v1/gc',
    tag: 'service',
    summary: 'Find what should not be there, and remove it unless dryRun',
    body: gcRequest,
    answer: gcView,
    errors: ['CONFIG_UNAVAILABLE'],
    handle: ({ manager }, { body, requester }) => manager.gc(body, requester),
  }),
  route({
    method: 'get',
    path: '/v1/configuration/check',
    tag: 'service',
    summary: 'Check every configuration file',
    answer: checkView,
    handle: ({ manager }) => manager.checkConfiguration(),
  }),
  route({
    method: 'post',
    path: '/v1/reload',
    tag: 'service',
    summary: 'Look at the configuration files now',
    answer: statusView,
    handle: ({ manager }, { requester }) => manager.reload(requester),
  }),
];
