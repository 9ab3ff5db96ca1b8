import { z } from 'zod';
import { identityView } from '../../model/cilium-maps-api.ts';
import { route } from '../route.ts';

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
];
