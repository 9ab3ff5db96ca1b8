import { doctorView } from '../../model/api.ts';
import { ciliumConfigRequest, ciliumConfigView, ciliumStatusView } from '../../model/cilium-api.ts';
import { route } from '../route.ts';

export const ciliumAgentRoutes = [
  route({
    method: 'get',
    path: '/v1/cilium/status',
    tag: 'cilium',
    summary: 'What Cilium’s agent says of itself, and what differs from what is wanted',
    answer: ciliumStatusView,
    handle: ({ manager }) => manager.ciliumStatus(),
  }),
  route({
    method: 'get',
    path: '/v1/cilium/preflight',
    tag: 'cilium',
    summary: 'Whether the agent can live on this node beside what is there; each finding with its cure',
    answer: doctorView,
    handle: ({ manager }) => manager.ciliumPreflight(),
  }),
  route({
    method: 'get',
    path: '/v1/cilium/config',
    tag: 'cilium',
    summary: 'What the settings make of the agent’s configuration, and how what lies on the disk and what it runs with differ',
    answer: ciliumConfigView,
    errors: ['CONFIG_INVALID'],
    handle: ({ manager }) => manager.ciliumConfig(),
  }),
  route({
    method: 'post',
    path: '/v1/cilium/config',
    tag: 'cilium',
    summary: 'Write the agent’s configuration; it is read at the agent’s next start',
    body: ciliumConfigRequest,
    answer: ciliumConfigView,
    errors: ['CONFIG_INVALID'],
    handle: ({ manager }, { requester }) => manager.writeCiliumConfig(requester),
  }),
];
