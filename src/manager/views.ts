import { capacity, familyOf, subnetContains } from '../core/addresses.ts';
import { interfaceKey } from '../core/leaks.ts';
import { poolOf } from '../core/pools.ts';
import { defaultRouteInterface } from '../core/routes.ts';
import type { AddressView, ContainerView, InterfaceView, NetworkView, OperationView, StatusView } from '../model/api.ts';
import type { Attachment, Debt } from '../model/attachment.ts';
import { asPveCniError, errorRecord, failure } from '../model/errors.ts';
import type { Network } from '../model/network.ts';
import type { Operation } from '../model/operation.ts';
import { kindOf } from '../networks/networks.ts';
import type { Dependencies } from './dependencies.ts';
import { runningInit } from './observe.ts';
import type { Reconciler } from './reconcile.ts';
import { containerFile } from './settle.ts';

const iso = (ms: number) => new Date(ms).toISOString();

export async function containerView(
  deps: Dependencies,
  reconciler: Reconciler,
  vmid: number,
  many: { inits?: Parameters<typeof runningInit>[3]; places?: ReadonlyMap<number, string> | null } = {},
): Promise<ContainerView> {
  const { store, configuration } = deps;
  const { containers, problems } = configuration.current;
  const configured = containers.get(vmid);
  const life = store.lives.get(vmid);
  const attachments = store.attachments.list({ vmid });
  const problem = problems.find(({ file }) => file === containerFile(vmid));
  if (!configured && !life && attachments.length === 0 && !problem)
    throw failure(
      'CONTAINER_UNKNOWN',
      `container ${vmid} is not managed by pve-cni; attach it first: pve-cni container attach ${vmid} eth0=NETWORK`,
      { vmid },
    );
  const init = await runningInit(deps, vmid, life, many.inits);
  const refusal = store.operations
    .list({ vmid, limit: 10 })
    .find(({ kind, outcome }) => outcome === 'refused' && (kind === 'prepare' || kind === 'attach'));
  const defaultRoute = defaultRouteInterface(configured?.interfaces ?? []);
  const names = new Set([...(configured?.interfaces.map((one) => one.name) ?? []), ...attachments.map((one) => one.ifname)]);
  return {
    vmid,
    running: init !== null,
    initPid: init?.pid ?? null,
    containerId: life?.containerId ?? null,
    netnsPath: life?.netnsPath ?? '',
    onFailure: configured?.onFailure ?? 'refuse',
    file: containerFile(vmid),
    labels: configured?.labels ?? {},
    interfaces: await Promise.all(
      [...names].map((name) =>
        interfaceView(deps, vmid, name, attachments.find((one) => one.ifname === name) ?? null, init !== null, defaultRoute === name),
      ),
    ),
    place: placeOf(deps, vmid, many.places === undefined ? await deps.cluster.places() : many.places),
    problem: problem ? errorRecord(problem.error) : (reconciler.problems.get(`container/${vmid}`) ?? null),
    lastRefusal: refusal ? { time: iso(refusal.begin), message: refusal.message, operation: refusal.id } : null,
  };
}

function placeOf(
  { node: own, remoteStates }: Dependencies,
  vmid: number,
  places: ReadonlyMap<number, string> | null,
): ContainerView['place'] {
  const node = places?.get(vmid);
  if (node === undefined) return null;
  const said = remoteStates.of(vmid);
  // what was said of it on another node is no news of this one
  const [status, ha] = said?.node === node ? [said.status, said.ha] : [null, null];
  const asOf = said && remoteStates.answeredAt !== null ? iso(remoteStates.answeredAt) : null;
  return { node, here: node === own, status, ha, asOf };
}

async function interfaceView(
  deps: Dependencies,
  vmid: number,
  name: string,
  attachment: Attachment | null,
  running: boolean,
  defaultRoute: boolean,
): Promise<InterfaceView> {
  const configured = deps.configuration.current.containers.get(vmid)?.interfaces.find((one) => one.name === name);
  const network = attachment?.network ?? configured?.network ?? '';
  const reserved = deps.store.addresses.list({ vmid, network }).filter((row) => row.ifname === name && row.state === 'reserved');
  const link = attachment?.hostInterface ? await deps.host.readLink(attachment.hostInterface) : null;
  return {
    name,
    network,
    state: configured ? (attachment?.phase ?? (running ? 'missing' : 'stopped')) : 'leftover',
    configuredAddress: configured?.address ?? null,
    addresses: attachment?.addresses ?? reserved.map(({ address }) => address),
    mac: attachment?.mac ?? '',
    mtuBytes: link?.mtuBytes ?? null,
    hostInterface: attachment?.hostInterface ?? '',
    defaultRoute,
    since: attachment ? iso(attachment.since) : null,
    error: attachment?.error ?? null,
  };
}

export async function networkView(
  deps: Dependencies,
  reconciler: Reconciler,
  network: Network,
  reported: (network: string) => NetworkView['nodes'],
): Promise<NetworkView> {
  const { store, configuration } = deps;
  const spec = kindOf(network).bridge?.(network);
  const pool = poolOf(network);
  const taken = store.addresses.list({ network: pool?.network ?? network.name });
  const containers = [...configuration.current.containers.values()].filter(({ interfaces }) =>
    interfaces.some((one) => one.network === network.name),
  );
  return {
    name: network.name,
    type: network.type,
    file: network.file,
    ...(await stateOf(deps, network, reconciler)),
    bridge: spec?.name ?? null,
    subnets: (pool?.subnets ?? ('subnets' in network ? network.subnets : [])).map((subnet) => ({
      cidr: subnet.cidr,
      gateway: subnet.gateway ?? null,
      range: subnet.range ?? null,
      size: String(capacity(subnet)),
      used: taken.filter(({ address }) => subnetContains(subnet, address)).length,
    })),
    containers: containers.map(({ vmid }) => vmid).sort((one, other) => one - other),
    nodes: reported(network.name),
    warnings: network.warnings,
  };
}

async function stateOf(deps: Dependencies, network: Network, reconciler: Reconciler): Promise<Pick<NetworkView, 'state' | 'problem'>> {
  const failed = reconciler.problems.get(`network/${network.name}`);
  if (failed) return { state: 'failed', problem: failed };
  try {
    const differs = await inspectNetwork(deps, network);
    return { state: differs === null ? 'ready' : differs === 'absent' ? 'absent' : 'differs', problem: null };
  } catch (error) {
    return { state: 'failed', problem: errorRecord(asPveCniError(error)) };
  }
}

/** What of a network's needs on this node differs, in words; null for nothing. @throws PveCniError */
export async function inspectNetwork({ datapath, cilium }: Dependencies, network: Network): Promise<string | null> {
  const [bridge, overlay] = [kindOf(network).bridge?.(network), kindOf(network).overlay?.(network)];
  const differs = bridge ? await datapath.inspect(bridge) : null;
  if (differs !== null || network.type !== 'cilium') return differs;
  await cilium.ready();
  return overlay ? datapath.inspectOverlay(overlay) : null;
}

export function addressViews({ store }: Dependencies, network?: string): AddressView[] {
  const inUse = new Set(
    store.attachments.brief().flatMap((one) => one.addresses.map((address) => interfaceKey(one.vmid, one.ifname, address))),
  );
  return store.addresses.list(network ? { network } : {}).map((row) => ({
    network: row.network,
    address: row.address,
    vmid: row.vmid,
    ifname: row.ifname,
    state: row.state,
    since: iso(row.since),
    releaseAt: row.releaseAt === null ? null : iso(row.releaseAt),
    inUse: inUse.has(interfaceKey(row.vmid, row.ifname, row.address)),
  }));
}

export function operationView(operation: Operation): OperationView {
  const { requester, begin, end, spans, ...rest } = operation;
  return {
    ...rest,
    door: requester.door,
    user: requester.user,
    upid: requester.upid ?? null,
    begin: iso(begin),
    end: end === null ? null : iso(end),
    durationMs: end === null ? null : end - begin,
    spans: spans.map(({ start, ...span }) => ({ ...span, startMs: start - begin })),
  };
}

export function debtView(debt: Debt): StatusView['debts'][number] {
  const { id, vmid, ifname, network, containerId, attempts, since, nextTryAt, reason } = debt;
  return { id, vmid, ifname, network, containerId, attempts, since: iso(since), nextTryAt: iso(nextTryAt), reason };
}

/** Pools of our own networks by family, for the metrics. */
export function pools({ store, configuration }: Pick<Dependencies, 'store' | 'configuration'>) {
  return [...configuration.current.networks.values()].flatMap((network) => {
    const pool = poolOf(network);
    const subnets = pool?.network === network.name ? pool.subnets : [];
    return ([4, 6] as const).flatMap((family) => {
      const ofFamily = subnets.filter((subnet) => familyOf(subnet) === family);
      if (ofFamily.length === 0) return [];
      const used = store.addresses.list({ network: network.name }).filter(({ address }) => address.includes(':') === (family === 6)).length;
      return [
        {
          network: network.name,
          family: family === 4 ? ('ipv4' as const) : ('ipv6' as const),
          size: ofFamily.reduce((sum, one) => sum + capacity(one), 0n),
          used,
        },
      ];
    });
  });
}
