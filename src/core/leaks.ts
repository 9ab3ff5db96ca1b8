import type { LeakView } from '../model/api.ts';

/** What gc compares: what should be, and everything of ours that was found. */
export interface Findings {
  /** false: nothing may be concluded from what is not configured */
  configurationAvailable: boolean;
  configured: { vmids: ReadonlySet<number>; interfaces: ReadonlySet<string>; networks: ReadonlySet<string>; bridges: ReadonlySet<string> };
  /** containerId/ifname of journal rows and debts, networks they use, and where their namespaces are pinned */
  recorded: { attachments: ReadonlySet<string>; networks: ReadonlySet<string>; pins: ReadonlySet<string>; vmids: ReadonlySet<number> };
  found: {
    cache: readonly { containerId: string; ifname: string; network: string; file: string; vmid: number | null }[];
    pins: readonly string[];
    bridges: readonly { name: string; network: string }[];
    /** networks that have a rule in our table */
    natRules: readonly string[];
    addresses: readonly { network: string; address: string; vmid: number; ifname: string; state: 'reserved' | 'kept' }[];
    markers: readonly number[];
  };
}

export type Leak = Pick<LeakView, 'kind' | 'what' | 'why' | 'vmid' | 'network'>;

/** Things of ours that nothing accounts for. */
export function findLeaks({ configurationAvailable, configured, recorded, found }: Findings): Leak[] {
  const leaks: Leak[] = [];
  for (const { containerId, ifname, network, file, vmid } of found.cache)
    if (!recorded.attachments.has(`${containerId}/${ifname}`))
      leaks.push({ kind: 'cache', what: file, why: `no journal row knows attachment ${containerId}/${ifname}`, vmid, network });
  for (const path of found.pins)
    if (!recorded.pins.has(path))
      leaks.push({ kind: 'pin', what: path, why: 'no life and no debt needs this namespace', vmid: null, network: null });
  if (!configurationAvailable) return leaks;

  for (const { name, network } of found.bridges)
    if (!configured.bridges.has(name) && !recorded.networks.has(network))
      leaks.push({ kind: 'bridge', what: name, why: `network "${network}" is not configured any more`, vmid: null, network });
  for (const network of found.natRules)
    if (!configured.networks.has(network))
      leaks.push({ kind: 'nft-rule', what: network, why: `network "${network}" masquerades no more`, vmid: null, network });
  for (const { network, address, vmid, ifname, state } of found.addresses)
    if (state === 'reserved' && !configured.interfaces.has(interfaceKey(vmid, ifname, network)))
      leaks.push({
        kind: 'address',
        what: address,
        why: `interface ${ifname} of container ${vmid} is not configured on network "${network}"`,
        vmid,
        network,
      });
  for (const vmid of found.markers)
    if (!configured.vmids.has(vmid) && !recorded.vmids.has(vmid))
      leaks.push({ kind: 'marker', what: `managed/${vmid}`, why: `container ${vmid} is not managed any more`, vmid, network: null });
  return leaks;
}

export function interfaceKey(vmid: number, ifname: string, network: string): string {
  return `${vmid}/${ifname}/${network}`;
}
