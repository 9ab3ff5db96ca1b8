import { canonicalIp } from './ip.ts';

/** What gc compares: what should be, and everything of ours that was found. */
export interface Findings {
  /** false: nothing may be concluded from what is not configured */
  configurationAvailable: boolean;
  configured: {
    vmids: ReadonlySet<number>;
    /** what an interface may hold: `vmid/ifname/network` → 'auto' or the fixed addresses */
    addresses: ReadonlyMap<string, 'auto' | readonly string[]>;
    natNetworks: ReadonlySet<string>;
    bridges: ReadonlySet<string>;
    /** subnets that Cilium carries */
    overlays: ReadonlySet<string>;
  };
  /** journal rows and debts: `containerId/ifname`, networks, pins, vmids, and `vmid/ifname/address` that are in use */
  recorded: {
    attachments: ReadonlySet<string>;
    networks: ReadonlySet<string>;
    pins: ReadonlySet<string>;
    vmids: ReadonlySet<number>;
    addresses: ReadonlySet<string>;
    /** interfaces whose policy is not in force yet */
    gated: ReadonlySet<string>;
  };
  found: {
    cache: readonly { containerId: string; ifname: string; network: string; file: string; vmid: number | null }[];
    pins: readonly string[];
    bridges: readonly { name: string; network: string }[];
    /** networks that have a rule in our table */
    natRules: readonly string[];
    addresses: readonly { network: string; address: string; vmid: number; ifname: string; state: 'reserved' | 'kept' }[];
    markers: readonly number[];
    /** endpoints of Cilium's agent that carry labels of ours */
    endpoints: readonly { attachmentId: string; vmid: number }[];
    /** subnets that this node has a route of ours to, by Cilium */
    overlays: readonly string[];
    /** closed gates */
    gates: readonly string[];
  };
}

/** A thing of ours that nothing accounts for. */
export interface Leak {
  kind: 'cache' | 'pin' | 'bridge' | 'nft-rule' | 'address' | 'marker' | 'endpoint' | 'route' | 'gate';
  what: string;
  why: string;
  vmid: number | null;
  network: string | null;
}

export function findLeaks({ configurationAvailable, configured, recorded, found }: Findings): Leak[] {
  const none = { vmid: null, network: null };
  const leaks: Leak[] = [];
  for (const { containerId, ifname, network, file, vmid } of found.cache)
    if (!recorded.attachments.has(`${containerId}/${ifname}`))
      leaks.push({ kind: 'cache', what: file, why: `no journal row knows attachment ${containerId}/${ifname}`, vmid, network });
  for (const path of found.pins)
    if (!recorded.pins.has(path)) leaks.push({ ...none, kind: 'pin', what: path, why: 'no life and no debt needs this namespace' });
  for (const { attachmentId, vmid } of found.endpoints)
    if (!recorded.attachments.has(attachmentId.replace(':', '/')))
      leaks.push({ ...none, kind: 'endpoint', what: attachmentId, why: 'no attachment has this endpoint of Cilium’s agent', vmid });
  for (const what of found.gates)
    if (!recorded.gated.has(what)) leaks.push({ ...none, kind: 'gate', what, why: 'no interface waits behind it' });
  if (!configurationAvailable) return leaks;

  for (const { name, network } of found.bridges)
    if (!configured.bridges.has(name) && !recorded.networks.has(network))
      leaks.push({ ...none, kind: 'bridge', what: name, why: `network "${network}" does not use it any more`, network });
  for (const network of found.natRules)
    if (!configured.natNetworks.has(network) && !recorded.networks.has(network))
      leaks.push({ ...none, kind: 'nft-rule', what: network, why: `network "${network}" masquerades no more`, network });
  for (const { network, address, vmid, ifname, state } of found.addresses) {
    const wanted = configured.addresses.get(interfaceKey(vmid, ifname, network));
    if (
      state === 'kept' ||
      wanted === 'auto' ||
      wanted?.some((one) => canonicalIp(one) === address) ||
      recorded.addresses.has(interfaceKey(vmid, ifname, address))
    )
      continue;
    const why = `interface ${ifname} of container ${vmid} is not to have it on network "${network}"`;
    leaks.push({ kind: 'address', what: address, why, vmid, network });
  }
  for (const cidr of found.overlays)
    if (!configured.overlays.has(cidr))
      leaks.push({ ...none, kind: 'route', what: cidr, why: 'no network carried by Cilium has this subnet' });
  for (const vmid of found.markers)
    if (!configured.vmids.has(vmid) && !recorded.vmids.has(vmid))
      leaks.push({ ...none, kind: 'marker', what: `managed/${vmid}`, why: `container ${vmid} is not managed any more`, vmid });
  return leaks;
}

/** `of`: a network, or an address */
export function interfaceKey(vmid: number, ifname: string, of: string): string {
  return `${vmid}/${ifname}/${of}`;
}
