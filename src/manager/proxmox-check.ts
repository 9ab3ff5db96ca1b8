import type { Dependencies } from './dependencies.ts';
import type { Finding } from './doctor.ts';

/** Whether Proxmox's API says what no file says. Never worse than a warning: nothing depends on it. */
export async function checkProxmoxApi({ cluster, remoteStates }: Dependencies): Promise<Finding[]> {
  if (!(await cluster.isProxmox())) return [{ state: 'skipped', message: 'this is no node of Proxmox' }];
  const { state, error, containers } = remoteStates;
  if (state === 'untold') return [{ state: 'skipped', message: 'Proxmox’s API was not asked yet' }];
  if (state === 'unset')
    return [
      {
        state: 'warning',
        message: 'there is no token for Proxmox’s API: the state of containers on other nodes is not shown',
        cure: 'pve-cni setup',
      },
    ];
  if (error)
    return [
      {
        state: 'warning',
        message: `${error.message}; the state of containers on other nodes is old, nothing else depends on it`,
        cure: error.code === 'PROXMOX_TOKEN_REFUSED' ? 'pve-cni setup' : 'systemctl status pveproxy',
      },
    ];
  const missing = [...((await cluster.places()) ?? new Map()).keys()].filter((vmid) => !containers.some((one) => one.vmid === vmid));
  if (containers.length === 0 && missing.length > 0)
    return [{ state: 'warning', message: `our token sees none of ${missing.length} containers`, cure: 'pve-cni setup' }];
  return [{ state: 'ok', message: `Proxmox’s API tells the state of ${containers.length} containers` }];
}
