import { drawTopology, type TopologyNetwork } from '../core/topology.ts';
import type { NetworkView } from '../model/api.ts';
import { asPveCniError } from '../model/errors.ts';
import type { Network } from '../model/network.ts';
import type { Topology } from '../model/panel-api.ts';
import { kindOf } from '../networks/networks.ts';
import { interfaceStatuses, type StatusSources } from './interface-statuses.ts';
import type { Reconciler } from './reconcile.ts';
import { networkView } from './views.ts';

/** The picture of this node, as it is now. */
export async function topologyOf(sources: StatusSources & { reconciler: Reconciler }): Promise<Topology> {
  const { deps, reconciler } = sources;
  const configured = [...deps.configuration.current.networks.values()];
  const [interfaces, views, defaultLinks, agent] = await Promise.all([
    interfaceStatuses(sources),
    Promise.all(configured.map((network) => networkView(deps, reconciler, network, () => []))),
    deps.host.defaultRouteLinks(),
    configured.some(({ type }) => type === 'cilium') ? agentOf(sources) : null,
  ]);
  const networks = configured.map((network, index) => networkFacts(network, views[index] as NetworkView));
  const named = [...networks.flatMap(({ on }) => (on ? [on.name] : [])), ...defaultLinks];
  return drawTopology({ interfaces, networks, links: await linksOf(sources, named), defaultLinks, agent });
}

async function agentOf({ deps }: StatusSources): Promise<{ healthy: boolean; detail: string }> {
  try {
    await deps.cilium.ready();
    return { healthy: true, detail: 'ready' };
  } catch (thrown) {
    return { healthy: false, detail: asPveCniError(thrown).message };
  }
}

/** The links of these names, and the ports of those that are bridges. */
async function linksOf({ deps: { host } }: StatusSources, names: readonly string[]) {
  const links = new Map<string, { up: boolean; isBridge: boolean; ports: string[] }>();
  const look = async (name: string, withPorts: boolean): Promise<void> => {
    if (links.has(name)) return;
    const link = await host.readLink(name);
    if (!link) return;
    const ports = link.isBridge && withPorts ? await host.portsOf(name) : [];
    links.set(name, { up: link.up, isBridge: link.isBridge, ports });
    for (const port of ports) await look(port, false);
  };
  for (const name of new Set(names)) await look(name, true);
  return links;
}

function networkFacts(network: Network, { state, problem, subnets }: NetworkView): TopologyNetwork {
  const parts = [network.type, ...subnets.map(({ cidr }) => cidr), ...(problem ? [problem.message] : [])];
  const facts = { name: network.name, type: network.type, state, detail: parts.join(', ') };
  return { ...facts, ...carriers[network.type](network as never) };
}

type Carrier = Pick<TopologyNetwork, 'on' | 'leaves' | 'agent'>;

/** What of the node carries a network, by type. */
const carriers: { [T in Network['type']]: (network: Extract<Network, { type: T }>) => Carrier } = {
  bridge: (network) => ({
    on: { kind: 'bridge', name: network.bridge.name },
    leaves: network.nat ? 'NAT' : network.subnets.some(({ gateway }) => gateway) ? 'routed' : null,
    agent: false,
  }),
  cilium: (network) => {
    const bridge = kindOf(network).bridge?.(network)?.name ?? kindOf(network).adopts?.(network) ?? null;
    return { on: bridge === null ? null : { kind: 'bridge', name: bridge }, leaves: null, agent: true };
  },
  cni: ({ conflist }) => {
    const [first] = conflist.plugins;
    const [bridge, master] = [first?.bridge, first?.master];
    if (isLink(bridge)) return { on: { kind: 'bridge', name: bridge }, leaves: first?.ipMasq === true ? 'NAT' : null, agent: false };
    return { on: isLink(master) ? { kind: 'uplink', name: master } : null, leaves: null, agent: false };
  },
};

/** Keys of plugins are whatever somebody wrote there. */
function isLink(value: unknown): value is string {
  return typeof value === 'string' && /^[a-zA-Z][a-zA-Z0-9_.-]{0,14}$/.test(value);
}
