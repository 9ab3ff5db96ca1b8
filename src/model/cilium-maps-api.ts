import { z } from 'zod';
import { vmid } from './names.ts';

/** Shapes of what Cilium holds, as the socket speaks them. */

export const identityView = z
  .object({
    id: z.number().int().meta({ description: 'number of the identity, in the whole cluster' }),
    vmid: vmid.nullable().meta({ description: 'the container that it is of' }),
    labels: z.array(z.string()).meta({ description: 'as Cilium writes them: `k8s:app=web`' }),
    nodes: z.array(z.string()).meta({ description: 'nodes that use it' }),
    unusedSince: z.iso.datetime().nullable().meta({ description: 'as far as this node has looked' }),
  })
  .meta({ id: 'CiliumIdentity' });
export type IdentityView = z.output<typeof identityView>;
