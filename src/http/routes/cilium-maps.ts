import { z } from 'zod';
import { mapKinds } from '../../model/cilium-map-kinds.ts';
import { identityView, mapContent, mapView } from '../../model/cilium-maps-api.ts';
import { vmidText } from '../../model/names.ts';
import { route } from '../route.ts';

const limit = z
  .string()
  .regex(/^[1-9][0-9]{0,3}$/, 'must be a number from 1 to 9999')
  .default('500')
  .transform(Number);

export const ciliumMapRoutes = [
  route({
    method: 'get',
    path: '/v1/cilium/identities',
    tag: 'cilium',
    summary: 'Identities of the cluster in etcd, and who uses them',
    answer: z.array(identityView),
    errors: ['CILIUM_ETCD_UNAVAILABLE', 'CILIUM_ETCD_FAILED'],
    handle: ({ manager }) => manager.ciliumIdentities(),
  }),
  route({
    method: 'get',
    path: '/v1/cilium/maps',
    tag: 'cilium',
    summary: 'eBPF maps of Cilium on this node, and how full they are',
    answer: z.array(mapView),
    handle: ({ manager }) => manager.ciliumMaps(),
  }),
  route({
    method: 'get',
    path: '/v1/cilium/maps/:kind',
    tag: 'cilium',
    summary: 'What one holds, with containers’ names in place of numbers',
    params: z.strictObject({ kind: z.enum(mapKinds) }),
    query: z.strictObject({ vmid: vmidText.optional(), limit }),
    answer: mapContent,
    errors: ['TOOL_MISSING', 'TOOL_FAILED', 'CILIUM_API_FAILED'],
    handle: ({ manager }, { params, query }) => manager.ciliumMap(params.kind, query),
  }),
];
