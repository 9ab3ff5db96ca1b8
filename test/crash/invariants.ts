import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { findInits } from '../../src/host/processes.ts';
import type { AddressView, ContainerView, GcView, InterfaceView, OperationView, StatusView } from '../../src/model/api.ts';
import type { Daemon } from '../support/daemon.ts';
import { until } from '../support/until.ts';

export interface Expected {
  /** networks that have addresses of our store */
  sticky: readonly string[];
  /** networks that leave addresses to host-local: name → its dataDir */
  hostLocal?: Readonly<Record<string, string>>;
  /** networks whose addresses are those of another: name → the other */
  pools?: Readonly<Record<string, string>>;
  /** pairs of the node that no container has */
  foreignLinks?: RegExp;
}

/** What a running container really has, seen from inside its network namespace. */
interface Inside {
  name: string;
  mac: string;
  addresses: string[];
}

/** Asserts what must hold whenever a reconcile has ended, whatever happened before (design: I1, I2, I3, I5, I6), by looking
 *  at the kernel and at the files, not only at what the service says. Says all that is wrong at once. */
export async function assertInvariants(daemon: Daemon, expected: Expected): Promise<void> {
  const get = async <T>(path: string): Promise<T> => (await daemon.api('GET', path)).body;
  const views = await get<ContainerView[]>('/v1/containers');
  const addresses = await get<AddressView[]>('/v1/addresses');
  const status = await get<StatusView>('/v1/status');
  const inside = await insideAll(views.map(({ vmid }) => vmid));
  const wrong = [
    ...exactlyItsInterfaces(views, inside),
    ...addressesAgree(daemon, expected, views, addresses),
    ...noTwoOwners(inside),
    ...(await nothingOnTheHost(daemon, expected, views, inside)),
    ...(await nothingLeaks(daemon)),
    ...(await everyOperationEnded(daemon)),
    ...status.debts.map((debt) => `debt: ${debt.ifname} of ${debt.vmid} on ${debt.network}: ${debt.reason.message}`),
  ];
  assert.deepEqual(wrong, []);
}

async function insideAll(vmids: readonly number[]): Promise<Map<number, Inside[]>> {
  const inits = await findInits();
  const running = vmids.flatMap((vmid) => {
    const init = inits.get(vmid);
    return init ? [{ vmid, pid: init.pid }] : [];
  });
  return new Map(await Promise.all(running.map(async ({ vmid, pid }) => [vmid, await insideOf(pid)] as const)));
}

async function insideOf(pid: number): Promise<Inside[]> {
  const { stdout } = await execa('nsenter', ['-t', String(pid), '-n', 'ip', '-json', 'address', 'show']);
  const links = JSON.parse(stdout) as { ifname: string; address: string; addr_info: { local: string; scope: string }[] }[];
  return links
    .filter(({ ifname }) => ifname !== 'lo')
    .map(({ ifname, address, addr_info }) => ({
      name: ifname,
      mac: address,
      addresses: addr_info.filter(({ scope }) => scope === 'global').map(({ local }) => local),
    }));
}

/** I1 */
function exactlyItsInterfaces(views: readonly ContainerView[], inside: ReadonlyMap<number, Inside[]>): string[] {
  return views.flatMap((view) => {
    const { vmid, running, interfaces, onFailure } = view;
    const links = inside.get(vmid);
    if (running !== (links !== undefined))
      return [`I1: container ${vmid} is ${links ? '' : 'not '}running, and is said to be the contrary`];
    if (!links)
      return interfaces.filter(({ state }) => state !== 'stopped').map((one) => `I1: container ${vmid} is not running: ${said(one)}`);
    if (onFailure === 'start') return [];
    const configured = interfaces.filter(({ configuredAddress }) => configuredAddress !== null);
    const strangers = links.filter(({ name }) => !configured.some((one) => one.name === name));
    return [
      ...strangers.map(({ name }) => `I1: container ${vmid} has ${name}, which is not configured`),
      ...interfaces.flatMap((one) => {
        if (one.state === 'degraded') return [];
        const link = links.find(({ name }) => name === one.name);
        if (!link || one.state !== 'attached') return [`I1: container ${vmid} is running: ${said(one)}, ${link ? 'has it' : 'has it not'}`];
        const lost = one.addresses.filter((address) => !link.addresses.includes(address));
        return lost.length > 0 || one.mac !== link.mac ? [`I1: container ${vmid} has ${JSON.stringify(link)}: ${said(one)}`] : [];
      }),
    ];
  });
}

function said({ name, network, state, addresses, mac }: InterfaceView): string {
  return `${name} on ${network} is said to be ${state} with ${addresses.join(' ')} ${mac}`;
}

/** I2: the store's rows, the reservations' files and what is configured or attached are the same */
function addressesAgree(
  daemon: Daemon,
  { sticky, pools = {} }: Expected,
  views: readonly ContainerView[],
  rows: readonly AddressView[],
): string[] {
  const owner = ({ vmid, ifname }: { vmid: number; ifname: string }) => `${vmid}/${ifname}`;
  const stored = new Map(rows.map((row) => [`${row.network}/${row.address}`, owner(row)]));
  const filed = new Map(reservationFiles(daemon.root));
  const wanted = views.flatMap(({ vmid, interfaces }) =>
    interfaces
      .map((one) => ({ ...one, network: pools[one.network] ?? one.network, owner: owner({ vmid, ifname: one.name }) }))
      .filter(({ network }) => sticky.includes(network)),
  );
  const owners = new Set(wanted.map((one) => `${one.network} ${one.owner}`));
  return [
    ...differences('I2: the store and the files of reservations differ', stored, filed),
    ...rows
      .filter((row) => row.state === 'reserved' && !owners.has(`${row.network} ${owner(row)}`))
      .map((row) => `I2: ${row.address} is reserved for ${owner(row)}, which is not configured on ${row.network}`),
    ...wanted
      .filter((one) => !rows.some((row) => row.network === one.network && owner(row) === one.owner))
      .map((one) => `I2: ${one.owner} has no address of ${one.network}`),
    ...wanted.flatMap((one) =>
      one.addresses
        .filter((address) => stored.get(`${one.network}/${address}`) !== one.owner)
        .map((address) => `I2: ${one.owner} uses ${address} of ${one.network} without a reservation`),
    ),
  ];
}

function reservationFiles(root: string): [string, string][] {
  const folder = (...names: string[]) => join(root, 'addresses', ...names);
  return list(folder()).flatMap((network) =>
    list(folder(network)).map((address): [string, string] => {
      const text = readFileSync(folder(network, address), 'utf8');
      const claim = text.startsWith('{') ? JSON.parse(text) : {};
      return [`${network}/${address}`, `${claim.vmid}/${claim.ifname}`];
    }),
  );
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => !name.startsWith('.'));
  } catch {
    return [];
  }
}

function differences(what: string, one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): string[] {
  const keys = [...new Set([...one.keys(), ...other.keys()])].filter((key) => one.get(key) !== other.get(key));
  return keys.map((key) => `${what}: ${key}: ${one.get(key) ?? 'nothing'}, ${other.get(key) ?? 'nothing'}`);
}

/** I3 */
function noTwoOwners(inside: ReadonlyMap<number, Inside[]>): string[] {
  const owners = new Map<string, string>();
  const wrong: string[] = [];
  for (const [vmid, links] of inside)
    for (const { name, mac, addresses } of links)
      for (const value of [mac, ...addresses]) {
        const other = owners.get(value);
        if (other) wrong.push(`I3: ${value} is had by ${other} and by ${vmid}/${name}`);
        owners.set(value, `${vmid}/${name}`);
      }
  return wrong;
}

/** What gc does not look for since plugins own it: links without a container, host-local's files, rules for addresses. */
async function nothingOnTheHost(
  daemon: Daemon,
  { hostLocal = {}, foreignLinks }: Expected,
  views: readonly ContainerView[],
  inside: ReadonlyMap<number, Inside[]>,
): Promise<string[]> {
  const links = JSON.parse((await execa('ip', ['-json', 'link', 'show', 'type', 'veth'])).stdout || '[]') as { ifname: string }[];
  const known = new Set(views.flatMap(({ interfaces }) => interfaces.map((one) => one.hostInterface)));
  const live = new Set([...inside.values()].flat().flatMap(({ addresses }) => addresses));
  const rules = (await execa('iptables-save')).stdout.split('\n').filter((line) => /^-A (?!CILIUM_)/.test(line));
  const given = Object.entries(hostLocal).flatMap(([network, dataDir]) =>
    list(join(dataDir, network)).filter((name) => /^[\d.]+$/.test(name)),
  );
  const attached = views.flatMap(({ interfaces }) =>
    interfaces.filter(({ network }) => network in hostLocal).flatMap((one) => one.addresses),
  );
  const pins = list(daemon.netnsDir).filter((name) => !views.some((view) => view.running && name === `ct${view.vmid}`));
  return [
    ...links.filter(({ ifname }) => !known.has(ifname) && !foreignLinks?.test(ifname)).map(({ ifname }) => `left: link ${ifname}`),
    ...rules
      .filter((rule) => (rule.match(/[\d.]+(?=\/32)/g) ?? []).some((address) => !live.has(address)))
      .map((rule) => `left: rule ${rule}`),
    ...given.filter((address) => !attached.includes(address)).map((address) => `left: ${address} with host-local`),
    ...attached.filter((address) => !given.includes(address)).map((address) => `lost: ${address} with host-local`),
    ...pins.map((name) => `left: pin ${name}`),
  ];
}

/** I5 */
async function nothingLeaks(daemon: Daemon): Promise<string[]> {
  const { leaks }: GcView = (await daemon.api('POST', '/v1/gc', { dryRun: true })).body;
  return leaks.map(({ kind, what, why }) => `I5: ${kind} ${what}: ${why}`);
}

/** I6. What the service does by itself may be in progress. */
async function everyOperationEnded(daemon: Daemon): Promise<string[]> {
  let open: OperationView[] = [];
  const ended = async () => {
    const { body }: { body: OperationView[] } = await daemon.api('GET', '/v1/operations?limit=9999');
    open = body.filter((one) => one.end === null || one.outcome === null);
    return open.length === 0;
  };
  await until('every operation has an end', ended, 3).catch(() => {});
  return open.map(({ id, kind, vmid }) => `I6: operation ${id} (${kind} of ${vmid}) has no end`);
}
