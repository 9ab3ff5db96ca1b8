import { subnetContains } from '../core/addresses.ts';
import { usesCilium } from '../core/cilium-plugin.ts';
import { type InterfaceFacts, stateOfInterface } from '../core/interface-state.ts';
import { canonicalIp } from '../core/ip.ts';
import { poolOf } from '../core/pools.ts';
import { defaultRouteInterface } from '../core/routes.ts';
import type { Attachment } from '../model/attachment.ts';
import type { ContainerConfig, ContainerInterface } from '../model/container.ts';
import type { Network } from '../model/network.ts';
import type { Operation } from '../model/operation.ts';
import type { InterfaceStatus } from '../model/panel-api.ts';
import type { NameOf } from './container-names.ts';
import type { Dependencies } from './dependencies.ts';
import { runningInit } from './observe.ts';
import type { Reconciler } from './reconcile.ts';
import type { Traffic } from './traffic.ts';

export interface StatusSources {
  deps: Dependencies;
  reconciler: Pick<Reconciler, 'problems'>;
  traffic: Traffic;
  nameOf: NameOf;
}

/** Every interface that is configured or attached on this node, or those of one container; by vmid, as its file has them. */
export async function interfaceStatuses(sources: StatusSources, only?: number): Promise<InterfaceStatus[]> {
  const { deps } = sources;
  const { containers } = deps.configuration.current;
  const filter = only === undefined ? {} : { vmid: only };
  const attachments = new Map<number, Attachment[]>();
  for (const one of deps.store.attachments.list(filter)) attachments.set(one.vmid, [...(attachments.get(one.vmid) ?? []), one]);
  const vmids = only === undefined ? (await ownContainers(deps, attachments)).sort((one, other) => one - other) : [only];
  // most run as they are recorded: the others share one look at all processes
  let scan: ReturnType<typeof deps.host.findInits> | null = null;
  const findInits = () => {
    scan ??= deps.host.findInits();
    return scan;
  };
  const processes = { host: { isAlive: deps.host.isAlive, findInits }, bootId: deps.bootId };
  const isRunning = async (vmid: number) => (await runningInit(processes, vmid, deps.store.lives.get(vmid))) !== null;
  const statuses = vmids.map(async (vmid) => {
    const [file, own] = [containers.get(vmid), attachments.get(vmid) ?? []];
    return file || own.length > 0 ? ofContainer(sources, vmid, file, own, await isRunning(vmid)) : [];
  });
  return (await Promise.all(statuses)).flat();
}

/** What is configured, but for what is on another node of the cluster, and what is attached. */
async function ownContainers(
  { cluster, configuration, node }: Dependencies,
  attachments: ReadonlyMap<number, readonly Attachment[]>,
): Promise<number[]> {
  const places = await cluster.places();
  const configured = [...configuration.current.containers.keys()].filter((vmid) => (places?.get(vmid) ?? node) === node);
  return [...new Set([...configured, ...attachments.keys()])];
}

async function ofContainer(
  { deps, reconciler, traffic, nameOf }: StatusSources,
  vmid: number,
  file: ContainerConfig | undefined,
  attachments: readonly Attachment[],
  running: boolean,
): Promise<InterfaceStatus[]> {
  const configured = file?.interfaces ?? [];
  const names = new Set([...configured.map(({ name }) => name), ...attachments.map(({ ifname }) => ifname)]);
  if (names.size === 0) return [];
  const container = await nameOf(vmid);
  const attached = new Map(attachments.map((one) => [one.ifname, one]));
  const failed = [...names].some((name) => !attached.has(name)) ? lastFailure(deps, vmid) : null;
  const problem = running ? (reconciler.problems.get(`container/${vmid}`)?.message ?? null) : null;
  const defaultRoute = defaultRouteInterface(configured);
  return [...names].map((ifname): InterfaceStatus => {
    const wanted = configured.find(({ name }) => name === ifname) ?? null;
    const attachment = attached.get(ifname) ?? null;
    const network = deps.configuration.current.networks.get(attachment?.network ?? wanted?.network ?? '');
    const link = attachment?.hostInterface || null;
    const mtu = link === null ? null : deps.host.linkMtu(link);
    const facts: InterfaceFacts = {
      configured: wanted !== null,
      running,
      attachment: attachment && {
        phase: attachment.phase,
        error: attachment.error?.message ?? null,
        lostLink: mtu === null ? link : null,
      },
      failure: attachment ? null : (failureOf(failed, ifname) ?? problem),
    };
    return {
      vmid,
      container,
      running,
      ifname,
      network: attachment?.network ?? wanted?.network ?? '',
      type: network?.type ?? null,
      ...stateOfInterface(facts),
      addresses: addressesOf(deps, vmid, ifname, attachment, wanted, network),
      configured: wanted && { network: wanted.network, address: wanted.address, defaultRoute: wanted.defaultRoute ?? null },
      mac: attachment?.mac || null,
      mtu: mtuOf(attachment) ?? mtu,
      hostIfname: link,
      since: attachment ? new Date(attachment.since).toISOString() : null,
      defaultRoute: defaultRoute === ifname,
      names: [],
      enforced: isEnforced(attachment, network) ? 'cilium' : null,
      traffic: attachment ? traffic.now(attachment) : null,
    };
  });
}

/** What decides whether the last try failed: newer than a start is only what was changed since. */
const tries: readonly Operation['kind'][] = ['prepare', 'attach', 'reconcile', 'configure'];

/** Why the container's last start, or the last reconcile of it, failed; null when it did not, or something was changed since. */
function lastFailure({ store }: Dependencies, vmid: number): Operation | null {
  const last = store.operations.list({ vmid, limit: 8 }).find(({ kind, end }) => end !== null && tries.includes(kind));
  const isFailure = last && last.kind !== 'configure' && (last.outcome === 'refused' || last.outcome === 'failed');
  return isFailure ? last : null;
}

/** A start is refused as a whole: the one at fault is told, the others only did not come to their turn. */
function failureOf(failed: Operation | null, ifname: string): string | null {
  const culprit = failed?.error?.context.ifname;
  return culprit === undefined || culprit === ifname ? (failed?.message ?? null) : null;
}

/** As its plugins said; else what is reserved or fixed for it, with the prefix of the subnet. */
function addressesOf(
  { store }: Dependencies,
  vmid: number,
  ifname: string,
  attachment: Attachment | null,
  wanted: ContainerInterface | null,
  network: Network | undefined,
): string[] {
  const prefixes = new Map((attachment?.result?.ips ?? []).map(({ address }) => [canonicalIp(address.split('/')[0] ?? ''), address]));
  const pool = network && poolOf(network);
  const reserved = attachment
    ? attachment.addresses
    : wanted && wanted.address !== 'auto'
      ? wanted.address
      : store.addresses
          .list({ vmid, network: pool?.network ?? network?.name ?? '' })
          .flatMap((row) => (row.ifname === ifname && row.state === 'reserved' ? [row.address] : []));
  return reserved.map((address) => {
    const known = prefixes.get(canonicalIp(address));
    if (known) return known;
    const subnet = pool?.subnets.find((one) => subnetContains(one, address));
    return subnet ? `${address}/${subnet.cidr.split('/')[1]}` : address;
  });
}

function mtuOf(attachment: Attachment | null): number | undefined {
  return attachment?.result?.interfaces.find(({ name, sandbox }) => name === attachment.ifname && sandbox)?.mtu;
}

function isEnforced(attachment: Attachment | null, network: Network | undefined): boolean {
  return attachment ? usesCilium(attachment.request.conflist) : network?.type === 'cilium';
}
