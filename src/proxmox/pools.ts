import { linesOf } from './container-config.ts';

/** pve-access-control, AccessControl.pm: up to three levels since Proxmox VE 8 */
const poolName = /^[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+){0,2}$/;

/** vmid → pool, of `/etc/pve/user.cfg`: lines of fields between colons, `pool:NAME:COMMENT:VMIDS:STORAGES:`. A container is in one
 *  pool: as in Proxmox the first that names it has it. Lines that are none are left out. */
export function parsePools(text: string): Map<number, string> {
  const pools = new Map<number, string>();
  for (const line of linesOf(text)) {
    const [kind, name = '', , members = ''] = line.split(':', 5).map((field) => field.trim());
    if (kind !== 'pool' || !poolName.test(name)) continue;
    for (const member of members.split(/[;,\s\0]+/)) {
      if (!/^[1-9]\d{2,8}$/.test(member)) continue;
      if (!pools.has(Number(member))) pools.set(Number(member), name);
    }
  }
  return pools;
}
