import type { AddressOwner } from '../cilium/hubble-flow.ts';
import type { Store } from '../state/store.ts';

/** who has an address is asked for each end of a flow without labels of ours: read at most this often, ms */
const freshMs = 2000;

/** Which container of this node has an address now. */
export function ownersOf(
  { attachments }: Pick<Store, 'attachments'>,
  clock: () => number = performance.now.bind(performance),
): AddressOwner {
  let owners = new Map<string, { vmid: number; name: string }>();
  let readAt = Number.NEGATIVE_INFINITY;
  return (address) => {
    if (clock() - readAt > freshMs) {
      owners = new Map(
        attachments.brief().flatMap(({ vmid, addresses }) => addresses.map((one) => [one, { vmid, name: String(vmid) }] as const)),
      );
      readAt = clock();
    }
    return owners.get(address) ?? null;
  };
}
