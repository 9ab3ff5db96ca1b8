import type { AddressOwner } from '../cilium/hubble-flow.ts';
import type { ProxmoxFacts } from '../proxmox/facts.ts';
import type { Store } from '../state/store.ts';

/** read again at most this often, ms: each end of a flow without labels of ours asks */
const freshMs = 2000;
const namesFreshMs = 60_000;

/** Which container of this node has an address now, by what was known moments ago: a flow does not wait for it. */
export function ownersOf({ store, proxmox }: { store: Pick<Store, 'attachments'>; proxmox: Pick<ProxmoxFacts, 'of'> }): AddressOwner {
  const names = new Map<number, string>();
  let owners = new Map<string, number>();
  let readAt = Number.NEGATIVE_INFINITY;
  let namedAt = Number.NEGATIVE_INFINITY;

  async function nameAll(vmids: ReadonlySet<number>): Promise<void> {
    for (const vmid of names.keys()) if (!vmids.has(vmid)) names.delete(vmid);
    const again = performance.now() - namedAt > namesFreshMs;
    if (again) namedAt = performance.now();
    for (const vmid of vmids) {
      if (names.has(vmid) && !again) continue;
      const facts = await proxmox.of(vmid).catch(() => null);
      if (facts) names.set(vmid, facts.name);
    }
  }

  return (address) => {
    if (performance.now() - readAt > freshMs) {
      readAt = performance.now();
      const rows = store.attachments.brief();
      owners = new Map(rows.flatMap(({ vmid, addresses }) => addresses.map((one) => [one, vmid] as const)));
      void nameAll(new Set(rows.map(({ vmid }) => vmid)));
    }
    const vmid = owners.get(address);
    return vmid === undefined ? null : { vmid, name: names.get(vmid) ?? String(vmid) };
  };
}
