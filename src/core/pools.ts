import type { Network, Subnet } from '../model/network.ts';

/** What our store gives a network's addresses from. Reservations are kept under the pool's name, so that networks that share a bridge
 *  never give one address twice. */
export interface Pool {
  /** name of the network whose reservations these are */
  network: string;
  subnets: readonly Subnet[];
}

const pools: { [T in Network['type']]: (network: Extract<Network, { type: T }>) => Pool | null } = {
  bridge: ({ name, ipam, subnets }) => (ipam === 'sticky' ? { network: name, subnets } : null),
  cilium: ({ name, ipam, subnets, base }) => (base ? pools.bridge(base) : ipam === 'sticky' ? { network: name, subnets } : null),
  cni: () => null,
};

/** null: the plugins choose. */
export function poolOf(network: Network): Pool | null {
  // the table guarantees that they fit
  return (pools[network.type] as (network: Network) => Pool | null)(network);
}
