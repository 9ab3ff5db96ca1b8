/** IPsec keys as Cilium reads them: one line, `NUMBER+ rfc4106(gcm(aes)) KEY 128`. The number (1 to 15) tells keys apart while nodes change
 *  from one to the next; agents make from the key one for each pair of nodes. */

/** 16 bytes of AES key and 4 of salt: RFC 4106 section 8.1 */
export const ipsecKeyBytes = 20;

/** how long agents take the key before, ms: their flag ipsec-key-rotation-duration */
export const ipsecRotationMs = 5 * 60_000;

const line = /^([1-9]|1[0-5])\+ rfc4106\(gcm\(aes\)\) (?:0x)?([0-9a-fA-F]{40}) 128\n?$/;

/** The number of the key that a file holds; null: it holds none of ours. */
export function ipsecKeyNumber(text: string): number | null {
  const [, number] = line.exec(text) ?? [];
  return number === undefined ? null : Number(number);
}

/** The text of a key file. `hex`: 40 digits. */
export function ipsecKeyText(number: number, hex: string): string {
  return `${number}+ rfc4106(gcm(aes)) ${hex} 128\n`;
}

export function nextIpsecKeyNumber(number: number): number {
  return (number % 15) + 1;
}

/** Where secrets of the cluster lie: where Proxmox keeps what only root may read, else below the root. */
export function secretsFolder(root: string): string {
  return root.startsWith('/etc/pve/') ? `/etc/pve/priv/${root.slice('/etc/pve/'.length)}` : `${root}/priv`;
}
