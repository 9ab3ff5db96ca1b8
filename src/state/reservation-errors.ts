import type { AddressReservation } from '../model/attachment.ts';
import { failure, PveCniError } from '../model/errors.ts';
import type { Subnet } from '../model/network.ts';
import { hasCode } from './reservation-files.ts';

export function readOnly(root: string, what: string, cause?: unknown): PveCniError {
  return failure(
    'IPAM_READ_ONLY',
    `cannot change ${what}: ${root} takes no changes; restore quorum or the mount; existing addresses keep working`,
    { path: root },
    cause,
  );
}

export function addressTaken(network: string, address: string, vmid: number, owner: AddressReservation | null): PveCniError {
  const why = !owner
    ? 'its reservation is in progress or broke off less than a minute ago; try again'
    : owner.state === 'kept'
      ? `it is kept for container ${owner.vmid}, which was destroyed, until ${new Date(owner.releaseAt ?? 0).toISOString()}; choose another address, or restore that container`
      : `container ${owner.vmid} has it (${owner.ifname}); choose another address`;
  return failure('IPAM_ADDRESS_TAKEN', `cannot give ${address} of network "${network}" to container ${vmid}: ${why}`, {
    network,
    address,
    vmid,
    owner: owner?.vmid,
  });
}

export function addressOutside(network: string, subnets: readonly Subnet[], address: string): PveCniError {
  const list = subnets.map((subnet) => subnet.cidr).join(', ') || 'none';
  return failure(
    'IPAM_ADDRESS_OUTSIDE',
    `cannot give ${address} on network "${network}": it is not a host's address in its subnets (${list}); choose one that is not a network, broadcast or gateway address`,
    { network, address, subnets: subnets.map((subnet) => subnet.cidr) },
  );
}

export function poolExhausted(network: string, family: number, vmid: number, taken: number): PveCniError {
  return failure(
    'IPAM_POOL_EXHAUSTED',
    `cannot give container ${vmid} an IPv${family} address of network "${network}": all are taken; widen its range, add a subnet, or release addresses (pve-cni address list)`,
    { network, vmid, family, taken },
  );
}

/** What the file system threw as one of our errors; anything else as it is. */
export function fileFailure(root: string, network: string, error: unknown): unknown {
  if (error instanceof PveCniError || !(error instanceof Error) || !('errno' in error)) return error;
  if (hasCode(error, 'EROFS', 'EACCES', 'EPERM', 'ENOTCONN', 'ECONNABORTED', 'ENOENT', 'EBUSY'))
    return readOnly(root, `addresses of network "${network}" (${error.message})`, error);
  return failure(
    'STATE_WRITE_FAILED',
    `cannot change addresses of network "${network}" in ${root}: ${error.message}; free space or remount`,
    { network, path: root },
    error,
  );
}
