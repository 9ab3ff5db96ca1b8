import { ciliumPlugin } from '../core/cilium-plugin.ts';
import type { Conflist, PluginConf } from '../model/cni.ts';
import type { ContainerInterface } from '../model/container.ts';
import { failure } from '../model/errors.ts';
import type { CiliumNetwork } from '../model/network.ts';
import { bridge } from './bridge.ts';
import type { Given, NetworkKind, Rendered } from './kind.ts';

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
    return { conflist, capabilityArgs: {}, endpoint: { addresses: network.ipam === 'sticky' ? given.addresses : null, mac: given.mac } };
  },
  bridge: ({ base }) => base && (bridge.bridge?.(base) ?? null),
  adopts: ({ mode, on, base }) => (mode === 'chained' && !base ? on : null),
  overlay: ({ name, subnets, nat }) =>
    subnets.length > 0 ? { network: name, subnets: subnets.map(({ cidr }) => cidr), masquerade: nat } : null,
};

/** The chain of the bridge network, or nothing where others make the interface; then Cilium on what that made. */
function chained(network: CiliumNetwork, wanted: ContainerInterface, given: Given): Rendered {
  const { name, base, on } = network;
  if (!base && wanted.address !== 'auto')
    throw failure(
      'UNSUPPORTED',
      `cannot give ${wanted.name} the fixed address ${wanted.address.join(', ')}: its interface on ${on} is not ours; set its address where it is made (pct set), and "auto" here`,
      { network: name, ifname: wanted.name, field: 'address' },
    );
  const { conflist, capabilityArgs } = base ? bridge.render(base, wanted, given) : { conflist: null, capabilityArgs: {} };
  const plugin: PluginConf = { type: ciliumPlugin, 'chaining-mode': 'generic-veth' };
  const plugins = [...(conflist?.plugins ?? []), plugin];
  return { conflist: { cniVersion: '1.0.0', name, plugins }, capabilityArgs, endpoint: { addresses: null, mac: '' } };
}

/** `cilium-ipam` means the agent's own addresses, and is no plugin that anybody could run; there is no Kubernetes to ask. */
function withoutKubernetes({ ipam, kubernetes: _kubernetes, ...plugin }: PluginConf): PluginConf {
  return ipam && ipam.type !== 'cilium-ipam' ? { ...plugin, ipam } : plugin;
}
