import type { AddressReservation } from '../model/attachment.ts';
import type { AddressUse } from '../model/panel-api.ts';
import { capacity, familyOf, subnetContains, usableRange } from './addresses.ts';
import { formatIp } from './ip.ts';
import type { Pool } from './pools.ts';

/** How full each subnet of a pool is. `held`: what of its network is reserved or kept back. */
export function addressUse({ network, subnets }: Pool, held: readonly Pick<AddressReservation, 'address' | 'state'>[]): AddressUse[] {
  return subnets.map((subnet) => {
    const own = held.filter(({ address }) => subnetContains(subnet, address));
    const kept = own.filter(({ state }) => state === 'kept').length;
    const { family, first, last } = usableRange(subnet);
    const size = Number(capacity(subnet));
    return {
      network,
      family: familyOf(subnet) === 4 ? 'ipv4' : 'ipv6',
      range: [first, last].map((value) => formatIp({ family, value })).join('-'),
      size,
      used: own.length - kept,
      kept,
      free: Math.max(0, size - own.length),
    };
  });
}
