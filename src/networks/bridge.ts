import { familyOf, subnetContains } from '../core/addresses.ts';
import type { Conflist, PluginConf } from '../model/cni.ts';
import { failure } from '../model/errors.ts';
import type { BridgeNetwork, Subnet } from '../model/network.ts';
import type { Given, NetworkKind } from './kind.ts';

/** Our own networks: a Linux bridge that datapath/ makes, and the reference `bridge` plugin that joins a container to it. */
export const bridge: NetworkKind<BridgeNetwork> = {
  render(network, wanted, given) {
    if (network.ipam === 'host-local' && wanted.address !== 'auto')
      throw failure(
        'UNSUPPORTED',
        `cannot give ${wanted.name} the fixed address ${wanted.address.join(', ')}: network "${network.name}" leaves addresses to host-local; set its ipam to sticky`,
        { network: network.name, ifname: wanted.name },
      );
    const plugin: PluginConf = {
      type: 'bridge',
      bridge: network.bridge.name,
      mtu: network.bridge.mtuBytes,
      // the gateway's address and masquerading are ours (datapath/): the plugin's leak at a DEL without a namespace
      isGateway: false,
      ipMasq: false,
      hairpinMode: false,
      capabilities: { mac: true },
      ...ipamOf(network, given),
    };
    const conflist: Conflist = { cniVersion: '1.0.0', name: network.name, plugins: [plugin] };
    return { conflist, capabilityArgs: given.mac ? { mac: given.mac } : {}, endpoint: null };
  },
  bridge: (network) => ({
    name: network.bridge.name,
    network: network.name,
    mtuBytes: network.bridge.mtuBytes,
    addresses: network.subnets.flatMap(({ cidr, gateway }) => (gateway ? [`${gateway}/${cidr.split('/')[1]}`] : [])),
    masquerade: network.nat ? network.subnets.filter(({ gateway }) => gateway).map(({ cidr }) => cidr) : [],
  }),
};

function ipamOf(network: BridgeNetwork, given: Given): { ipam: Record<string, unknown> } {
  const routes = given.defaultRoute ? defaultRoutes(network.subnets) : [];
  if (network.ipam === 'host-local') {
    const ranges = network.subnets.map(({ cidr, gateway, range }) => {
      const [rangeStart, rangeEnd] = range?.split('-') ?? [];
      return [{ subnet: cidr, ...(rangeStart && { rangeStart, rangeEnd }), ...(gateway && { gateway }) }];
    });
    return { ipam: { type: 'host-local', ranges, routes } };
  }
  // without addresses the bridge plugin makes a link on layer 2 only, when ipam has no type
  if (given.addresses.length === 0) return { ipam: {} };
  const addresses = given.addresses.map((address) => {
    const subnet = network.subnets.find((one) => subnetContains(one, address));
    if (!subnet)
      throw failure('IPAM_ADDRESS_OUTSIDE', `${address} is in no subnet of network "${network.name}"`, { network: network.name });
    return { address: `${address}/${subnet.cidr.split('/')[1]}`, ...(subnet.gateway && given.defaultRoute && { gateway: subnet.gateway }) };
  });
  return { ipam: { type: 'static', addresses, routes } };
}

/** One default route for each family that has a gateway. */
function defaultRoutes(subnets: readonly Subnet[]): { dst: string; gw: string }[] {
  const routes = new Map<number, { dst: string; gw: string }>();
  for (const subnet of subnets) {
    const family = familyOf(subnet);
    if (subnet.gateway && !routes.has(family)) routes.set(family, { dst: family === 4 ? '0.0.0.0/0' : '::/0', gw: subnet.gateway });
  }
  return [...routes.values()];
}
