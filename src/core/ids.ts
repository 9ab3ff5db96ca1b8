/** Hex digits of a SHA-256 of a text. Passed in, since this room imports no Node module. */
export type Hash = (text: string) => string;

/** CNI_CONTAINERID of one life of a container: the same for the same life, and new in every life. */
export function containerIdOf(node: string, vmid: number, generation: number, hash: Hash): string {
  return hash(`${node}/${vmid}/${generation}`).slice(0, 16);
}

/** MAC address of an interface: the same for the same (vmid, ifname, salt); another salt gives another, for the case of
 *  a collision. Locally administered and unicast: of the first octet's two lowest bits, 1 is set and 0 is clear
 *  (IEEE 802-2014 section 8.4). */
export function chooseMac(vmid: number, ifname: string, salt: string, hash: Hash): string {
  const octets = hash(`${vmid}/${ifname}/${salt}`).slice(0, 12).match(/../g) ?? [];
  const first = (Number.parseInt(octets[0] ?? '0', 16) & 0xfc) | 0x02;
  return [first.toString(16).padStart(2, '0'), ...octets.slice(1)].join(':');
}
