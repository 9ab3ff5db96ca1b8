import { ciliumPlugin } from '../core/cilium-plugin.ts';
import type { Conflist, PluginConf } from '../model/cni.ts';
import { failure } from '../model/errors.ts';
import type { CiliumNetwork } from '../model/network.ts';
import { bridge } from './bridge.ts';
import type { Given, NetworkKind } from './kind.ts';

/** Networks that Cilium's agent carries: its own interfaces, or bridged ones that it is chained onto. */
export const cilium: NetworkKind<CiliumNetwork> = {
  render(network, wanted, given) {
    if (network.mode === 'chained') return chained(network, wanted, given);
    if (network.ipam === 'agent' && wanted.address !== 'auto')
      throw failure(
        'UNSUPPORTED',
        `cannot give ${wanted.name} the fixed address ${wanted.address.join(', ')}: network "${network.name}" leaves addresses to Cilium's agent; give the network subnets of its own`,
        { network: network.name, ifname: wanted.name, field: 'address' },
      );
    const conflist: Conflist = network.conflist
      ? { ...network.conflist, plugins: network.conflist.plugins.map(withoutKubernetes) }
      : { cniVersion: '1.0.0', name: network.name, plugins: [{ type: ciliumPlugin }] };
    return { conflist, capabilityArgs: {}, endpointAddresses: network.ipam === 'sticky' ? given.addresses : null };
  },
  bridge: ({ base }) => base && (bridge.bridge?.(base) ?? null),
  overlay: ({ name, subnets, nat }) =>
    subnets.length > 0 ? { network: name, subnets: subnets.map(({ cidr }) => cidr), masquerade: nat } : null,
};

/** The chain of the bridge network, then Cilium on what that made. */
function chained(network: CiliumNetwork, wanted: Parameters<typeof cilium.render>[1], given: Given): ReturnType<typeof cilium.render> {
  const plugin: PluginConf = { type: ciliumPlugin, 'chaining-mode': 'generic-veth' };
  if (network.base) {
    const { conflist, capabilityArgs } = bridge.render(network.base, wanted, given);
    return {
      conflist: { ...conflist, name: network.name, plugins: [...conflist.plugins, plugin] },
      capabilityArgs,
      endpointAddresses: null,
    };
  }
  return { conflist: { cniVersion: '1.0.0', name: network.name, plugins: [plugin] }, capabilityArgs: {}, endpointAddresses: null };
}

/** `cilium-ipam` means the agent's own addresses, and is no plugin that anybody could run; there is no Kubernetes to ask. */
function withoutKubernetes({ ipam, kubernetes: _kubernetes, ...plugin }: PluginConf): PluginConf {
  return ipam && ipam.type !== 'cilium-ipam' ? { ...plugin, ipam } : plugin;
}
