import { attachmentIdOf } from '../core/cilium-plugin.ts';
import { canonicalIp } from '../core/ip.ts';
import { findLeaks, interfaceKey, type Leak } from '../core/leaks.ts';
import type { LeakView } from '../model/api.ts';
import { asPveCniError, errorRecord } from '../model/errors.ts';
import { kindOf } from '../networks/networks.ts';
import { addressesWanted } from './addresses.ts';
import type { Dependencies } from './dependencies.ts';
import { debtPin, payDebt } from './detach.ts';
import { listMarkers, removeMarker } from './markers.ts';

/** Compares configuration, journal, plugins' cache and kernel. */
export async function inspectGarbage(deps: Dependencies): Promise<Leak[]> {
  const { host, store, runtime, configuration, datapath, settings } = deps;
  // what was found first, what is recorded last: a thing that was recorded meanwhile is no leak
  const [{ entries }, netnsNames, debtPins, bridges, natRules, markers, endpoints, overlays, gates] = await Promise.all([
    runtime.cached(),
    host.netns.list(settings.netnsDir),
    host.netns.list(`${settings.runDir}/netns`),
    datapath.bridges(),
    datapath.masqueradedNetworks(),
    listMarkers(deps),
    deps.cilium.endpoints(),
    datapath.overlayRoutes(),
    datapath.gate.closed(),
  ]);
  // another node's may be reserved for what we do not see yet; those of nodes that left are everybody's
  const members = await deps.cluster.members();
  const clustered = members === null && (await deps.cluster.isProxmox());
  const isMember = (node: string) => members?.some((one) => one.node === node) ?? clustered;
  const isAnothers = (node: string | undefined) => node !== undefined && node !== deps.node && isMember(node);
  const addresses = store.addresses.list().filter(({ node }) => !isAnothers(node));
  const { networks, containers, available, problems } = configuration.current;
  const [attachments, debts, lives] = [store.attachments.brief(), store.debts.list(), store.lives.list()];
  const rows = [...attachments, ...debts];
  const bridged = [...networks.values()].flatMap((network) => kindOf(network).bridge?.(network) ?? []);
  const overlaid = [...networks.values()].flatMap((network) => kindOf(network).overlay?.(network) ?? []);
  return findLeaks({
    // an object whose file is broken counts as configured: nothing is concluded from what cannot be read
    configurationAvailable:
      available && !problems.some(({ lastGoodServes, file }) => !lastGoodServes && /^(networks|containers)\//.test(file)),
    configured: {
      vmids: new Set(containers.keys()),
      addresses: addressesWanted(containers, networks),
      natNetworks: new Set([
        ...bridged.flatMap(({ masquerade, network }) => (masquerade.length > 0 ? [network] : [])),
        ...overlaid.map(({ network }) => network),
      ]),
      bridges: new Set(bridged.map(({ name }) => name)),
      overlays: new Set(overlaid.flatMap(({ subnets }) => subnets)),
    },
    recorded: {
      attachments: new Set(rows.map(({ containerId, ifname }) => `${containerId}/${ifname}`)),
      networks: new Set(rows.map(({ network }) => network)),
      pins: new Set([...lives.map(({ netnsPath }) => netnsPath), ...debts.map(({ containerId }) => debtPin(deps, containerId))]),
      vmids: new Set([...rows.map(({ vmid }) => vmid), ...lives.map(({ vmid }) => vmid)]),
      gated: new Set(gatedOf(deps)),
      addresses: new Set(attachments.flatMap(({ vmid, ifname, addresses: held }) => held.map((one) => interfaceKey(vmid, ifname, one)))),
    },
    found: {
      cache: entries
        .filter(({ args }) => isOurs(args))
        .map(({ containerId, ifname, conflist, file, args }) => ({
          containerId,
          ifname,
          network: conflist.name,
          file,
          vmid: vmidOf(args),
        })),
      pins: [
        ...netnsNames.filter((name) => /^ct[1-9]\d{2,8}$/.test(name)).map((name) => `${settings.netnsDir}/${name}`),
        ...debtPins.map((name) => `${settings.runDir}/netns/${name}`),
      ],
      bridges,
      natRules,
      addresses,
      markers,
      endpoints: endpoints ?? [],
      overlays,
      gates,
    },
  });
}

/** Opens the gates that no interface waits behind any more. */
export async function openGates(deps: Dependencies): Promise<void> {
  const gated = gatedOf(deps);
  for (const gate of await deps.datapath.gate.closed()) if (!gated.includes(gate)) await deps.datapath.gate.open(gate);
}

/** By their host interface, or by the MAC of one that is still being made. */
function gatedOf({ store }: Dependencies): string[] {
  const rows = store.attachments.list().filter(({ phase }) => phase !== 'attached' && phase !== 'degraded');
  return rows.flatMap(({ hostInterface, mac }) => [hostInterface, mac]);
}

/** Removes one leak, if it still is one, and says how it went. */
export async function removeLeak(deps: Dependencies, leak: Leak): Promise<LeakView> {
  try {
    await deps.trace(`leak:${leak.kind}`, () => removers[leak.kind](deps, leak));
    deps.log.info({ ...leak }, 'removed what nothing accounts for');
    return { ...leak, removed: true, error: null };
  } catch (thrown) {
    const error = errorRecord(asPveCniError(thrown));
    deps.log.warn({ ...leak, error }, 'cannot remove a leak');
    return { ...leak, removed: false, error };
  }
}

const removers: Record<Leak['kind'], (deps: Dependencies, leak: Leak) => Promise<unknown>> = {
  async cache({ runtime, host, settings, store }, { what }) {
    const entry = (await runtime.cached()).entries.find(({ file }) => file === what);
    if (!entry || store.attachments.brief().some((row) => row.containerId === entry.containerId)) return;
    const netns =
      (await host.netns.inode(entry.netns)) !== null && !store.lives.list().some((life) => life.netnsPath === entry.netns)
        ? entry.netns
        : '';
    await runtime.del({ ...entry, netns }, { pluginTimeoutMs: settings.timeouts.pluginSeconds * 1000 });
  },
  pin: ({ host }, { what }) => host.netns.unpin(what),
  bridge: ({ datapath }, { what }) => datapath.removeBridge(what),
  'nft-rule': ({ datapath }, { what }) => datapath.removeMasquerade(what),
  /** in the container's turn: what is being configured has its address before its file */
  async address({ reservations, store, configuration }, { network, what }) {
    const row = store.addresses.get(network ?? '', what);
    if (!row) return;
    const { containers, networks } = configuration.current;
    const wanted = addressesWanted(containers, networks).get(interfaceKey(row.vmid, row.ifname, row.network));
    if (wanted === 'auto' || wanted?.some((one) => canonicalIp(one) === what)) return;
    await reservations.release(row.network, what);
  },
  marker: (deps, { vmid }) => removeMarker(deps, vmid ?? 0),
  async endpoint({ cilium, store }, { what }) {
    if (!store.attachments.brief().some((row) => attachmentIdOf(row) === what)) await cilium.agent.removeEndpoint(what);
  },
  gate: ({ datapath }, { what }) => datapath.gate.open(what),
  route: ({ datapath }, { what }) => datapath.removeOverlayRoute(what),
};

/** Debts whose time has come (or all, when somebody asks). Those of a container that runs have its turn: a DEL beside an ADD would undo
 *  it. A stop waits for no debt, since what is owed of an ended life concerns nobody. */
export async function payDebts(deps: Dependencies, all: boolean, inTurn: (vmid: number, work: () => Promise<unknown>) => Promise<void>) {
  const due = deps.store.debts.list().filter((debt) => all || debt.nextTryAt <= deps.clock());
  if (due.length === 0) return;
  const running = await deps.host.findInits();
  for (const debt of due) {
    const pay = async () => {
      // it may have been done while its turn was waited for
      const present = deps.store.debts.list().find(({ id }) => id === debt.id);
      if (present) await payDebt(deps, present);
    };
    await (running.has(debt.vmid) ? inTurn(debt.vmid, pay) : pay());
  }
}

function isOurs(args: Record<string, string>): boolean {
  return vmidOf(args) !== null;
}

function vmidOf(args: Record<string, string>): number | null {
  return /^[1-9]\d{2,8}$/.test(args.PVE_VMID ?? '') ? Number(args.PVE_VMID) : null;
}
