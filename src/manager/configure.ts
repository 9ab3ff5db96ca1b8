import { canonicalIp } from '../core/ip.ts';
import { poolOf } from '../core/pools.ts';
import { otherRoutes } from '../core/routes.ts';
import type { AddressReservation } from '../model/attachment.ts';
import type { ContainerFile, ContainerInterface } from '../model/container.ts';
import { failure } from '../model/errors.ts';
import type { LabelChange } from '../model/labels.ts';
import type { Requester } from '../model/operation.ts';
import { addressesFor, networkOf, validateInterface } from './attach.ts';
import type { Dependencies } from './dependencies.ts';
import { detach } from './detach.ts';
import { exclusively } from './exclusively.ts';
import { openGates } from './garbage.ts';
import { writeMarkers } from './markers.ts';
import type { OperationContext, Operations } from './operations.ts';
import { type Settled, settle } from './settle.ts';

export interface AttachWish {
  interface: ContainerInterface;
  onFailure?: 'refuse' | 'start' | undefined;
}

/** Adds an interface to a container's file, and attaches it when the container runs. Refused before anything is written
 *  when it cannot work; taken back when a running container cannot be attached. */
export async function attachInterface(
  deps: Dependencies,
  operations: Operations,
  vmid: number,
  wish: AttachWish,
  requester: Requester,
): Promise<string> {
  const { configuration } = deps;
  return operations.run(changeRequest(deps, vmid, requester, wish.interface.network), async (context) => {
    await seen(deps, vmid);
    const before = await configuration.readContainer(vmid);
    await configuration.refresh(vmid);
    const file = configuration.current.containers.get(vmid);
    const name = wish.interface.name;
    if (file?.interfaces.some((one) => one.name === name))
      throw failure(
        'INTERFACE_EXISTS',
        `cannot add ${name} to container ${vmid}: it has an interface of that name; detach it first or choose another`,
        { vmid, ifname: name },
      );
    if (wish.interface.defaultRoute && file?.interfaces.some((one) => one.defaultRoute))
      throw failure('CONFIG_INVALID', `cannot give ${name} of container ${vmid} the default route: another interface has it`, {
        vmid,
        ifname: name,
        field: 'defaultRoute',
      });
    const network = networkOf(deps, wish.interface, vmid);
    const changed = {
      ...file,
      interfaces: [...(file?.interfaces ?? []), wish.interface],
      onFailure: wish.onFailure ?? file?.onFailure ?? 'refuse',
    };
    // what does not go with the networks and the other containers
    configuration.parseContainer(vmid, asText(changed));
    try {
      await validateInterface(deps, vmid, wish.interface);
      await addressesFor(deps, vmid, wish.interface, network);
      await write(deps, vmid, changed, before);
    } catch (error) {
      await releaseUnnamed(deps, vmid, name).catch(() => {});
      throw error;
    }
    const settled = await settleNow(deps, vmid, context);
    const [error] = settled.errors;
    if (error) {
      await write(deps, vmid, file ?? null);
      await takeBack(deps, vmid, name);
      await releaseUnnamed(deps, vmid, name).catch(() => {});
      throw error;
    }
    return done(deps, vmid, context, before, `${name} of container ${vmid} joins network "${network.name}" ${when(settled)}`);
  });
}

/** What is configured for a container that is still to be made, whoever makes it would get. And one that is destroyed before the next look
 *  at all of them must have been seen, too, or the next one of its number inherits. @throws ProxmoxError CONTAINER_GONE */
async function seen({ cluster, store }: Dependencies, vmid: number): Promise<void> {
  const exists = await cluster.exists(vmid);
  if (exists) store.seen.add(vmid);
  if (exists !== false || !(await cluster.isProxmox())) return;
  throw failure(
    'CONTAINER_GONE',
    `cannot add an interface to container ${vmid}: there is no such container in the cluster; make it first`,
    {
      vmid,
    },
  );
}

/** A running container becomes what its file says. */
export function settleNow(deps: Dependencies, vmid: number, context: OperationContext, renew?: ReadonlyMap<string, string>) {
  const detachTimeoutMs = deps.settings.timeouts.pluginSeconds * 1000;
  return settle(deps, vmid, context, { allOrNothing: false, detachTimeoutMs, ...(renew && { renew }) });
}

export function when({ running }: Settled): string {
  return running ? 'now' : 'at its next start';
}

/** What is left of an interface that could not be attached: one that others made waits behind its gate. */
async function takeBack(deps: Dependencies, vmid: number, ifname: string): Promise<void> {
  const left = deps.store.attachments.get(vmid, ifname);
  if (left) await detach(deps, left, { timeoutMs: deps.settings.timeouts.stopSeconds * 1000 });
  await openGates(deps);
}

/** Puts an interface of a container onto another network; it keeps its name and its place. */
export function moveInterface(
  deps: Dependencies,
  operations: Operations,
  vmid: number,
  ifname: string,
  network: string,
  requester: Requester,
): Promise<string> {
  return changeInterface(deps, operations, vmid, ifname, { network, change: (own) => ({ interface: { ...own, network } }) }, requester);
}

/** Makes an interface of a container another one, under its name and in its place; a running container is changed at once. Refused before
 *  anything is written when it cannot work; taken back when a running container cannot be changed. */
export async function changeInterface(
  deps: Dependencies,
  operations: Operations,
  vmid: number,
  ifname: string,
  { network, change }: { network: string; change: (own: ContainerInterface) => AttachWish },
  requester: Requester,
): Promise<string> {
  const { configuration } = deps;
  return operations.run(changeRequest(deps, vmid, requester, network), async (context) => {
    const before = await configuration.readContainer(vmid);
    await configuration.refresh(vmid);
    const file = configuration.current.containers.get(vmid);
    const own = file?.interfaces.find((one) => one.name === ifname);
    if (!file || !own) throw failure('INTERFACE_UNKNOWN', `container ${vmid} has no interface ${ifname}`, { vmid, ifname });
    const { interface: wanted, onFailure = file.onFailure } = change(own);
    const changed = { ...file, interfaces: file.interfaces.map((one) => (one === own ? wanted : one)), onFailure };
    configuration.parseContainer(vmid, asText(changed));
    try {
      await validateInterface(deps, vmid, wanted);
      await write(deps, vmid, changed, before);
    } catch (error) {
      await configuration.refresh(vmid);
      const named = configuration.current.containers.get(vmid)?.interfaces.find((one) => one.name === ifname);
      await releaseOthers(deps, vmid, named ?? own);
      throw error;
    }
    const renew = new Map(otherRoutes(file.interfaces, changed.interfaces).map((name) => [name, 'its default route was changed']));
    const settled = await settleNow(deps, vmid, context, renew);
    const [error] = settled.errors;
    if (error) {
      await write(deps, vmid, file);
      await takeBack(deps, vmid, ifname);
      await settleNow(deps, vmid, context);
      await releaseOthers(deps, vmid, own);
      throw error;
    }
    await releaseOthers(deps, vmid, wanted);
    const what = wanted.network === own.network ? 'is changed' : `is on network "${wanted.network}"`;
    return done(deps, vmid, context, before, `${ifname} of container ${vmid} ${what} ${when(settled)}`);
  });
}

/** Frees what an interface has that is not to be. Not so when its container's file names it by now: what another node was asked for at the
 *  same time has the same addresses, since they are the container's and not the node's. */
async function releaseUnnamed({ configuration, reservations }: Dependencies, vmid: number, ifname: string): Promise<void> {
  await configuration.refresh(vmid);
  if (configuration.current.containers.get(vmid)?.interfaces.some(({ name }) => name === ifname)) return;
  await reservations.releaseFor(vmid, ifname);
}

/** Addresses that an interface had and is not to have any more. What cannot be released now is the reconcile's. */
async function releaseOthers(deps: Dependencies, vmid: number, { name, network, address }: ContainerInterface): Promise<void> {
  const joined = deps.configuration.current.networks.get(network);
  const pool = (joined && poolOf(joined)?.network) ?? network;
  const used = deps.store.attachments.get(vmid, name)?.addresses ?? [];
  const isWanted = (row: AddressReservation) =>
    used.includes(row.address) || (row.network === pool && (address === 'auto' || address.some((one) => canonicalIp(one) === row.address)));
  for (const row of deps.store.addresses.list({ vmid }))
    if (row.ifname === name && row.state === 'reserved' && !isWanted(row))
      await deps.reservations.release(row.network, row.address).catch(() => {});
}

/** Removes an interface from a container's file, and detaches it when the container runs. */
export async function detachInterface(
  deps: Dependencies,
  operations: Operations,
  vmid: number,
  ifname: string,
  requester: Requester,
): Promise<string> {
  const { configuration } = deps;
  return operations.run(changeRequest(deps, vmid, requester), async (context) => {
    const before = await configuration.readContainer(vmid);
    await configuration.refresh(vmid);
    const file = configuration.current.containers.get(vmid);
    if (!file) throw failure('CONTAINER_UNKNOWN', `container ${vmid} is not managed by pve-cni`, { vmid });
    if (!file.interfaces.some((one) => one.name === ifname))
      throw failure('INTERFACE_UNKNOWN', `container ${vmid} has no interface ${ifname}; see pve-cni container show ${vmid}`, {
        vmid,
        ifname,
      });
    const interfaces = file.interfaces.filter((one) => one.name !== ifname);
    // labels outlive the interfaces: what joins another network is the same container
    await write(deps, vmid, interfaces.length > 0 || file.labels ? { ...file, interfaces } : null, before);
    const settled = await settleNow(deps, vmid, context);
    await releaseUnnamed(deps, vmid, ifname);
    return done(deps, vmid, context, before, `${ifname} of container ${vmid} is detached${settled.running ? '' : ' (it is not running)'}`);
  });
}

/** Changes the labels in a container's file. What follows from that is the reconcile's. */
export async function changeLabels(
  deps: Dependencies,
  operations: Operations,
  vmid: number,
  { set, remove }: LabelChange,
  requester: Requester,
): Promise<string> {
  const { configuration } = deps;
  return operations.run(changeRequest(deps, vmid, requester), async (context) => {
    const before = await configuration.readContainer(vmid);
    await configuration.refresh(vmid);
    const file = configuration.current.containers.get(vmid);
    if (!file)
      throw failure('CONTAINER_UNKNOWN', `cannot label container ${vmid}: it is not managed by pve-cni; attach it first`, { vmid });
    const kept = Object.entries(file.labels ?? {}).filter(([key]) => !remove.includes(key));
    const labels = { ...Object.fromEntries(kept), ...set };
    await write(deps, vmid, { ...file, labels }, before);
    const all = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
    return done(deps, vmid, context, before, `labels of container ${vmid}: ${all.join(' ') || 'none'}`);
  });
}

/** Writes a container's file; nothing when it is not the one any more that the change was made from (`before`). */
export async function write(deps: Dependencies, vmid: number, file: ContainerFile | null, before?: string | null): Promise<void> {
  await exclusively(deps, async () => {
    if (before !== undefined && (await deps.configuration.readContainer(vmid)) !== before)
      throw failure('CONFLICT', `cannot change container ${vmid}: its file was changed meanwhile; try again`, { vmid });
    await deps.configuration.writeContainer(vmid, file && { interfaces: file.interfaces, labels: file.labels, onFailure: file.onFailure });
  });
  await writeMarkers(deps, deps.configuration.current);
}

/** A container's file as text; YAML takes JSON. */
function asText({ interfaces, labels, onFailure }: ContainerFile): string {
  return JSON.stringify({ interfaces, labels, onFailure });
}

export async function done(
  deps: Dependencies,
  vmid: number,
  context: OperationContext,
  before: string | null,
  message: string,
): Promise<string> {
  context.changed(before, await deps.configuration.readContainer(vmid));
  context.say(message);
  return context.id;
}

export function changeRequest({ settings }: Dependencies, vmid: number, requester: Requester, network?: string) {
  return {
    kind: 'configure' as const,
    vmid,
    requester,
    priority: 5,
    timeoutMs: settings.timeouts.operationSeconds * 1000,
    ...(network && { network }),
  };
}
