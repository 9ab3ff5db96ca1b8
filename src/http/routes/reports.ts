import { z } from 'zod';
import { ifname, vmidText } from '../../model/names.ts';
import { addressUse, containerHistory, interfaceStatus, nodeHistory, timeframes, topologyView } from '../../model/panel-api.ts';
import { route } from '../route.ts';

const params = z.strictObject({ vmid: vmidText });
const timeframe = z.enum(timeframes).default('hour').meta({ description: '`hour`: 10 s a step; `day`: 5 minutes' });

/** What there is to see of the node and its containers. */
export const reportRoutes = [
  route({
    method: 'get',
    path: '/v1/interfaces',
    tag: 'reports',
    summary: 'Every interface of this node that is configured or attached, with its traffic',
    answer: z.array(interfaceStatus),
    handle: ({ manager }) => manager.interfaces(),
  }),
  route({
    method: 'get',
    path: '/v1/containers/:vmid/interfaces',
    tag: 'reports',
    summary: 'The same of one container; none when it is not managed',
    params,
    answer: z.array(interfaceStatus),
    handle: ({ manager }, { params }) => manager.containerInterfaces(params.vmid),
  }),
  route({
    method: 'get',
    path: '/v1/topology',
    tag: 'reports',
    summary: 'What is attached to what: containers, networks, bridges, uplinks, Cilium’s agent',
    answer: topologyView,
    handle: ({ manager }) => manager.topology(),
  }),
  route({
    method: 'get',
    path: '/v1/history',
    tag: 'reports',
    summary: 'Traffic of all interfaces over time, and how long attaching and detaching took',
    query: z.strictObject({ timeframe }),
    answer: nodeHistory,
    handle: ({ manager }, { query }) => manager.history(query.timeframe),
  }),
  route({
    method: 'get',
    path: '/v1/containers/:vmid/history',
    tag: 'reports',
    summary: 'Traffic of a container over time, or of one interface',
    params,
    query: z.strictObject({ timeframe, ifname: ifname.optional() }),
    answer: containerHistory,
    handle: ({ manager }, { params, query }) => manager.containerHistory(params.vmid, query),
  }),
  route({
    method: 'get',
    path: '/v1/addresses/use',
    tag: 'reports',
    summary: 'How full the subnets are',
    answer: z.array(addressUse),
    handle: ({ manager }) => manager.addressUse(),
  }),
];
