import type { IdentityView } from '../../model/cilium-maps-api.ts';
import type { Context } from '../context.ts';
import { moment, table } from '../output.ts';

export const renderIdentities =
  (context: Context) =>
  (identities: IdentityView[]): string => {
    if (identities.length === 0) return 'No identities: no container has started on a network of type cilium yet.';
    const rows = identities.map(({ id, vmid, labels, nodes, unusedSince }) => [
      id,
      vmid ?? '-',
      nodes.join(' ') || '-',
      moment(unusedSince),
      labels.map(shortened).filter(Boolean).join(' '),
    ]);
    return table(context, ['IDENTITY', 'VMID', 'NODES', 'UNUSED SINCE', 'LABELS'], rows);
  };

/** Without the source, and without what all of ours have. */
function shortened(label: string): string {
  const plain = label.replace(/^k8s:/, '');
  return /^(io\.kubernetes\.pod\.namespace|io\.cilium\.k8s\.policy\.cluster|type|vmid)=/.test(plain) ? '' : plain;
}
