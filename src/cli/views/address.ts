import type { AddressView } from '../../model/api.ts';
import type { AddressUse } from '../../model/panel-api.ts';
import type { Context } from '../context.ts';
import { moment, state, table } from '../output.ts';

export const renderAddresses =
  (context: Context) =>
  (addresses: AddressView[]): string => {
    if (addresses.length === 0)
      return 'No addresses are reserved. They are when a container is attached: pve-cni container attach 101 eth0=web';
    const rows = addresses.map(({ network, address, vmid, ifname, state: held, inUse, since, releaseAt }) => [
      address,
      network,
      vmid,
      ifname,
      state(context.colours, held),
      inUse ? 'yes' : 'no',
      moment(since),
      moment(releaseAt),
    ]);
    return table(context, ['ADDRESS', 'NETWORK', 'VMID', 'INTERFACE', 'STATE', 'IN USE', 'SINCE', 'RELEASED AT'], rows);
  };

export const renderAddressUse =
  (context: Context) =>
  (subnets: AddressUse[]): string => {
    if (subnets.length === 0) return 'No network has addresses of its own to give.';
    const rows = subnets.map(({ network, family, range, size, used, kept, free }) => [network, family, range, size, used, kept, free]);
    return table(context, ['NETWORK', 'FAMILY', 'RANGE', 'SIZE', 'USED', 'KEPT BACK', 'FREE'], rows);
  };
