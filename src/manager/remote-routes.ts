import { subnetContains } from '../core/addresses.ts';
import { canonicalIp } from '../core/ip.ts';
import { kindOf } from '../networks/networks.ts';
import type { Dependencies } from './dependencies.ts';

/** Keeps the routes to our addresses on other nodes, where nodes route instead of tunnelling: the agents themselves route whole ranges,
 *  one for each node, and ours belong to no node. `anew` looks at the routes even when no address has moved. */
export function createRemoteRoutes({ host, settings, configuration, cilium, datapath }: Dependencies): (anew: boolean) => Promise<void> {
  let known = '[]';
  return async (anew) => {
    if (settings.cilium.routing !== 'native') return;
    const networks = [...configuration.current.networks.values()];
    const subnets = networks.flatMap((network) => kindOf(network).overlay?.(network)?.subnets ?? []);
    const all = subnets.length > 0 ? await cilium.whereabouts() : [];
    if (!all) return;
    const { ipv4, ipv6 } = await host.localAddresses();
    const isOwn = (node: string) => ipv4.has(node) || ipv6.some(({ address }) => canonicalIp(address) === canonicalIp(node));
    const remote = all.filter(({ address, node }) => !isOwn(node) && subnets.some((cidr) => subnetContains({ cidr }, address)));
    const now = JSON.stringify(remote);
    if (now === known && !anew) return;
    await datapath.applyRemoteRoutes(remote);
    known = now;
  };
}
