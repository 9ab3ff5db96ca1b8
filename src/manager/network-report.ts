import type { NetworkView } from '../model/api.ts';
import { asPveCniError, failure } from '../model/errors.ts';
import type { Network } from '../model/network.ts';
import { render } from './attach.ts';
import type { Dependencies } from './dependencies.ts';
import type { Reconciler } from './reconcile.ts';

const maxMessage = 1000;

/** Tells the cluster which networks this node can make: written only when that changes. Whether Cilium's agent answers this moment is
 *  no part of it. */
export async function publishNetworks(deps: Dependencies, problems: Reconciler['problems']): Promise<void> {
  const networks = [...deps.configuration.current.networks.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
  const report = await Promise.all(
    networks.map(async (network) => {
      const message = problems.get(`network/${network.name}`)?.message ?? (await missingPlugin(deps, network));
      return { name: network.name, ready: message === null, message: (message ?? '').slice(0, maxMessage) };
    }),
  );
  if (await deps.networkReports.publish(report)) deps.log.info({}, 'told the cluster which networks this node can make');
}

async function missingPlugin(deps: Dependencies, network: Network): Promise<string | null> {
  try {
    const { conflist } = render(deps, 0, { name: 'eth0', network: network.name, address: 'auto' }, network, []);
    return (await deps.runtime.validate(conflist))[0]?.message ?? null;
  } catch (thrown) {
    return asPveCniError(thrown).message;
  }
}

/** Why a network cannot be joined here, with the nodes of the cluster that can make it: where a container may be started that came to the
 *  wrong one. */
export async function withNodesThatCan(deps: Dependencies, network: string, thrown: unknown): Promise<unknown> {
  const error = asPveCniError(thrown);
  // an address is missing everywhere
  if (error.name === 'IPAMError' || error.name === 'ConfigurationError') return thrown;
  const others = (await reportsOfNetworks(deps))(network).filter(
    ({ node, ready, online }) => ready && online !== false && node !== deps.node,
  );
  if (others.length === 0) return thrown;
  const names = others.map(({ node }) => node).join(', ');
  return failure(error.code, `${error.message}; network "${network}" is ready on: ${names}`, { ...error.context, nodes: names }, error);
}

/** What the nodes say of each network; nodes that left the cluster say nothing any more. */
export async function reportsOfNetworks({ networkReports, cluster }: Dependencies): Promise<(network: string) => NetworkView['nodes']> {
  const [reports, members] = await Promise.all([networkReports.list(), cluster.members()]);
  const isMember = (node: string) => members?.some((one) => one.node === node) ?? true;
  return (network) =>
    reports.flatMap(({ node, since, networks }) =>
      networks
        .filter(({ name }) => name === network && isMember(node))
        .map(({ ready, message }) => ({
          node,
          ready,
          message,
          since: new Date(since).toISOString(),
          online: members?.find((one) => one.node === node)?.online ?? null,
        })),
    );
}
