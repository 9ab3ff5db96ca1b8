import { readFile, writeFile } from 'node:fs/promises';

/** Lets the host forward packets of a family, as routed and masqueraded networks need. Says whether it was off. */
export async function ensureForwarding(family: 'ipv4' | 'ipv6'): Promise<boolean> {
  const path = family === 'ipv4' ? '/proc/sys/net/ipv4/ip_forward' : '/proc/sys/net/ipv6/conf/all/forwarding';
  if ((await readFile(path, 'utf8')).trim() === '1') return false;
  await writeFile(path, '1');
  return true;
}
