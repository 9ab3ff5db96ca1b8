import { z } from 'zod';
import { checkView, networkView } from '../../model/api.ts';
import { cniVersions } from '../../model/cni.ts';
import { ifname, networkName, vmidText } from '../../model/names.ts';
import { fileReceipt, networkDetail, networkRequest } from '../../model/panel-api.ts';
import { route } from '../route.ts';
import { ofTexts } from './settings.ts';

const params = z.strictObject({ name: networkName });

/** CNI 1.1 section 1; plugins' own keys pass through. */
const conflistView = z
  .looseObject({
    cniVersion: z.enum(cniVersions),
    name: z.string(),
    plugins: z.array(z.looseObject({ type: z.string() })),
  })
  .meta({ id: 'Conflist' });

const conflistTarget = z
  .strictObject({ vmid: vmidText.optional(), ifname: ifname.optional() })
  .refine(({ vmid, ifname }) => (vmid === undefined) === (ifname === undefined), 'vmid and ifname go together');

export const networkRoutes = [
  route({
    method: 'get',
    path: '/v1/networks',
    tag: 'networks',
    summary: 'All networks, with their state on this node',
    answer: z.array(networkView),
    handle: ({ manager }) => manager.networks(),
  }),
  route({
    method: 'get',
    path: '/v1/networks/:name',
    tag: 'networks',
    summary: 'One network, with the text of its file',
    params,
    answer: networkDetail,
    errors: ['NETWORK_UNKNOWN'],
    handle: ({ manager }, { params }) => manager.network(params.name),
  }),
  route({
    method: 'put',
    path: '/v1/networks/:name',
    tag: 'networks',
    summary: 'Write a network’s file: YAML, or a configuration (list) of CNI in JSON; nothing is written when it would not serve',
    params,
    body: networkRequest,
    answer: fileReceipt,
    errors: [...ofTexts, 'CNI_CONFIG_INVALID', 'CNI_VERSION_UNSUPPORTED', 'PLUGIN_NOT_ALLOWED'],
    handle: ({ manager }, { params, body, requester }) => manager.applyNetwork(params.name, body, requester),
  }),
  route({
    method: 'delete',
    path: '/v1/networks/:name',
    tag: 'networks',
    summary: 'Move a network’s file to archive/; refused while anybody is on it',
    params,
    answer: fileReceipt,
    errors: ['NETWORK_UNKNOWN', 'NETWORK_IN_USE', 'CONFIG_UNAVAILABLE'],
    handle: ({ manager }, { params, requester }) => manager.removeNetwork(params.name, requester),
  }),
  route({
    method: 'get',
    path: '/v1/networks/:name/conflist',
    tag: 'networks',
    summary: 'The CNI configuration list that is run; for one interface when vmid and ifname are given, else with placeholders',
    params,
    query: conflistTarget,
    answer: conflistView,
    errors: ['NETWORK_UNKNOWN', 'CONTAINER_UNKNOWN', 'INTERFACE_UNKNOWN'],
    handle: ({ manager }, { params, query: { vmid, ifname } }) =>
      manager.conflist(params.name, vmid !== undefined && ifname !== undefined ? { vmid, ifname } : undefined),
  }),
  route({
    method: 'post',
    path: '/v1/networks/:name/check',
    tag: 'networks',
    summary: 'Check what a network needs on this node: plugins, bridge, configuration',
    params,
    answer: checkView,
    errors: ['NETWORK_UNKNOWN'],
    handle: ({ manager }, { params }) => manager.checkNetwork(params.name),
  }),
];
