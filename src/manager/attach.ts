import { createHash } from 'node:crypto';
import { type Birth, podArgs } from '../cilium/plugin-socket.ts';
import { adopts, ciliumPlugin, usesCilium } from '../core/cilium-plugin.ts';
import { chooseMac } from '../core/ids.ts';
import { canonicalIp } from '../core/ip.ts';
import { poolOf } from '../core/pools.ts';
import { type DefaultRouteWish, defaultRouteInterface, defaultRouteWish, routeLines } from '../core/routes.ts';
import type { Attachment, Life } from '../model/attachment.ts';
import type { CniAttachment, CniResult, Conflist } from '../model/cni.ts';
import type { ContainerInterface } from '../model/container.ts';
import { asPveCniError, errorRecord, failure, type PveCniError } from '../model/errors.ts';
import type { Network } from '../model/network.ts';
import type { Rendered } from '../networks/kind.ts';
import { kindOf } from '../networks/networks.ts';
import { type Adopted, findAdopted, leadsInto, previousResult, refuseTaken, withAddresses } from './adopt.ts';
import type { Dependencies } from './dependencies.ts';
import { detach, payBefore } from './detach.ts';
import { labelsOf } from './identity.ts';
import { policiesInForce } from './policies.ts';

export const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** The network that an interface is to join. @throws ConfigurationError NETWORK_UNKNOWN */
export function networkOf({ configuration }: Dependencies, wanted: ContainerInterface, vmid: number): Network {
  const network = configuration.current.networks.get(wanted.network);
  if (network) return network;
  throw failure(
    'NETWORK_UNKNOWN',
    `cannot attach ${wanted.name} of container ${vmid}: there is no network "${wanted.network}"; see pve-cni network list`,
    {
      vmid,
      ifname: wanted.name,
      network: wanted.network,
    },
  );
}

/** The interface's addresses from our store (reserved now if they are not yet), or what it is fixed to. @throws IPAMError */
export async function addressesFor(deps: Dependencies, vmid: number, wanted: ContainerInterface, network: Network): Promise<string[]> {
  const pool = poolOf(network);
  if (!pool || pool.subnets.length === 0) return wanted.address === 'auto' ? [] : [...wanted.address];
  return deps.reservations.reserve(pool.network, pool.subnets, { vmid, ifname: wanted.name, wanted: wanted.address });
}

/** What is run for an interface. */
export function render(
  { configuration }: Dependencies,
  vmid: number,
  wanted: ContainerInterface,
  network: Network,
  addresses: readonly string[],
): Rendered & { mac: string; defaultRoute: DefaultRouteWish } {
  const interfaces = configuration.current.containers.get(vmid)?.interfaces ?? [wanted];
  const mac = chooseMac(vmid, wanted.name, '', sha256);
  const given = { addresses, mac, defaultRoute: defaultRouteInterface(interfaces) === wanted.name };
  return { ...kindOf(network).render(network, wanted, given), mac, defaultRoute: defaultRouteWish(interfaces, wanted) };
}

/** Everything that can be refused before anything runs: the network, its plugins, an address. @throws PveCniError */
export async function validateInterface(deps: Dependencies, vmid: number, wanted: ContainerInterface): Promise<void> {
  const network = networkOf(deps, wanted, vmid);
  const { conflist } = render(deps, vmid, wanted, network, await addressesFor(deps, vmid, wanted, network));
  const [first] = await deps.runtime.validate(conflist);
  if (first) throw first;
  if (usesCilium(conflist)) await deps.cilium.untilReady();
}

/** Makes what a network needs on the node what it should be. */
export async function prepareNetwork({ trace, datapath }: Dependencies, network: Network, deep = false): Promise<boolean> {
  const bridge = kindOf(network).bridge?.(network);
  const overlay = kindOf(network).overlay?.(network);
  const changed = bridge ? await trace('step:prepare', () => datapath.apply(bridge, { deep }), { network: network.name }) : false;
  if (!overlay) return changed;
  return (await trace('step:prepare', () => datapath.applyOverlay(overlay, { deep }), { network: network.name })) || changed;
}

/** Attaches one interface: the intent is durable before the first plugin runs, the result with
 *  the operation's end. On a
 *  failure what was done is undone, or recorded as a debt. @throws PveCniError */
export async function attach(deps: Dependencies, life: Life, wanted: ContainerInterface, signal: AbortSignal): Promise<Attachment> {
  const { store, runtime, trace, clock } = deps;
  const network = networkOf(deps, wanted, life.vmid);
  const addresses = await trace('step:reserve', () => addressesFor(deps, life.vmid, wanted, network));
  const { conflist, capabilityArgs, endpoint, mac, defaultRoute } = render(deps, life.vmid, wanted, network, addresses);
  if (endpoint) {
    await trace('cilium:ready', () => deps.cilium.untilReady(signal));
    await trace('cilium:policies', () => policiesInForce(deps, signal));
  }
  await payBefore(deps, life.vmid, life.initPid);
  await prepareNetwork(deps, network);
  signal.throwIfAborted();
  const bridge = kindOf(network).adopts?.(network);
  const adopted = bridge ? await findAdopted(deps, life, wanted, bridge) : null;
  if (adopted) await refuseTaken(deps, adopted, life.vmid, wanted.name);
  const gate = gateOf(conflist, adopted, mac);

  const request: CniAttachment = {
    conflist,
    containerId: life.containerId,
    netns: life.netnsPath,
    ifname: wanted.name,
    // PVE_VMID lets a lost journal be rebuilt from the plugins' cache
    args: { IgnoreUnknown: '1', PVE_VMID: String(life.vmid), ...(endpoint && podArgs(life.vmid)) },
    capabilityArgs,
    ...(adopted && { previous: previousResult(adopted, wanted.name, life.netnsPath) }),
  };
  const intent: Attachment = {
    vmid: life.vmid,
    ifname: wanted.name,
    network: network.name,
    phase: 'adding',
    containerId: life.containerId,
    bootId: life.bootId,
    request,
    result: null,
    addresses,
    mac: adopted?.mac ?? mac,
    hostInterface: adopted?.hostInterface ?? '',
    error: null,
    since: clock(),
  };
  return trace(
    'step:attach',
    async () => {
      await trace('journal:intent', async () => store.attachments.put(intent));
      try {
        if (gate) await trace('step:gate', () => deps.datapath.gate.close(gate));
        if (adopted?.addresses.length === 0) return wait(deps, intent, null);
        const add = () => runtime.add(request, { signal });
        const labels = endpoint ? await labelsOf(deps, life.vmid, network.name) : [];
        const birth = endpoint && { vmid: life.vmid, labels, ...endpoint, ...(gate && { refuses: guardOf(deps, life, intent, adopted) }) };
        const born = () => (birth ? deps.cilium.add(request, birth, add) : add());
        const result = adopted ? await withAddresses(deps, adopted, wanted.name, life.netnsPath, born) : await born();
        const lines = routeLines(wanted.name, result, defaultRoute);
        if (lines.length > 0) await trace('step:routes', () => deps.host.ip.batch(lines, life.netnsPath));
        const attached: Attachment = { ...intent, phase: 'attached', result, since: clock(), ...factsOf(result, wanted.name, intent) };
        // the end of the operation, before anybody is answered, or the next intent makes it durable
        await trace('journal:attached', async () => store.relaxed(() => store.attachments.put(attached)));
        if (gate) await deps.datapath.gate.open(gate, attached.hostInterface);
        return attached;
      } catch (thrown) {
        const undone = await undo(deps, intent, thrown);
        // a gate before what others made stays closed: it is opened when nothing is to be protected any more
        if (gate && undone && !adopted) await deps.datapath.gate.open(gate);
        throw named(intent, thrown);
      }
    },
    { vmid: life.vmid, ifname: wanted.name, network: network.name },
  );
}

/** What no packet may pass before the policy is in force: the host's end of an interface that is there already; by its MAC one that a
 *  chain makes before Cilium comes to it. Cilium's own interfaces come up with their policy. */
function gateOf(conflist: Conflist, adopted: Adopted | null, mac: string): string | null {
  if (adopted) return adopted.hostInterface;
  return usesCilium(conflist) && conflist.plugins[0]?.type !== ciliumPlugin ? mac : null;
}

/** Refuses an endpoint on anything but what was looked at: another container's interface, another address. */
function guardOf(
  deps: Dependencies,
  life: Life,
  { ifname, addresses }: Attachment,
  adopted: Adopted | null,
): NonNullable<Birth['refuses']> {
  const expected = adopted ? adopted.addresses.map((address) => address.split('/')[0]) : addresses;
  return async (found) => {
    const isOurs = adopted ? found.hostInterface === adopted.hostInterface : await leadsInto(deps, found.hostInterface, life);
    if (!isOurs) return `${found.hostInterface} is not the other end of ${ifname} of container ${life.vmid}`;
    const other = found.addresses.find((address) => !expected.some((one) => canonicalIp(one ?? '') === canonicalIp(address)));
    // those of host-local are not known before
    return other && expected.length > 0 ? `${ifname} of container ${life.vmid} has the address ${other} all of a sudden` : null;
  };
}

/** Leaves an interface behind its gate until it can be protected: it has no address yet, or the agent is away. */
export function wait({ store, clock }: Dependencies, intent: Attachment, error: PveCniError | null): Attachment {
  const waiting: Attachment = { ...intent, phase: 'waiting', error: error && errorRecord(error), since: clock() };
  store.attachments.put(waiting);
  return waiting;
}

/** A plugin's error with the words that people know the interface by. */
function named({ vmid, ifname, network }: Attachment, thrown: unknown): unknown {
  const error = asPveCniError(thrown);
  if (error.name !== 'CNIError') return thrown;
  const message = `cannot attach ${ifname} of container ${vmid} to network "${network}": ${error.message}`;
  return failure(error.code, message, { ...error.context, vmid, ifname, network }, error);
}

/** The runtime has undone its chain already when its error says so; anything else is undone here. What others made waits behind its gate
 *  until somebody decides what becomes of it. Returns whether it is done. */
async function undo(deps: Dependencies, intent: Attachment, thrown: unknown): Promise<boolean> {
  const error = asPveCniError(thrown);
  deps.log.warn({ vmid: intent.vmid, ifname: intent.ifname, network: intent.network, error: errorRecord(error) }, 'attach failed; undone');
  if (error.name !== 'CNIError' || error.context.undone === false)
    return detach(deps, intent, { timeoutMs: deps.settings.timeouts.stopSeconds * 1000, gated: true });
  if (adopts(intent.request.conflist)) wait(deps, intent, error);
  else deps.store.attachments.remove(intent.vmid, intent.ifname);
  return true;
}

/** What people ask for, out of a plugin's result. */
function factsOf(result: CniResult, ifname: string, intent: Attachment): Pick<Attachment, 'addresses' | 'mac' | 'hostInterface'> {
  const index = result.interfaces.findIndex((one) => one.name === ifname && one.sandbox);
  const addresses = result.ips
    .filter((ip) => ip.interface === undefined || index < 0 || ip.interface === index)
    .map((ip) => ip.address.split('/')[0] ?? '');
  // the host's end of the pair is listed right before the container's (bridge: bridge, host end, container end); what
  // follows belongs to later plugins (bandwidth's ifb)
  const before = result.interfaces.slice(0, index < 0 ? undefined : index).filter((one) => !one.sandbox);
  const hostEnd = before.at(-1) ?? result.interfaces.find((one) => !one.sandbox);
  return {
    addresses: addresses.length > 0 ? addresses : intent.addresses,
    mac: result.interfaces[index]?.mac ?? intent.mac,
    hostInterface: hostEnd?.name ?? '',
  };
}
