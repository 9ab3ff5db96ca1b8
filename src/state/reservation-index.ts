import { canonicalIp } from '../core/ip.ts';
import type { AddressReservation } from '../model/attachment.ts';
import { addressTaken } from './reservation-errors.ts';
import type { Claim, Held, ReservationFiles } from './reservation-files.ts';
import type { Store } from './store.ts';

/** Something that load put right, or that a person should look at. */
export interface Finding {
  /** `recreated`: our file was missing; `healed`: ours was empty; `lost`: our address is another's by its file;
   *  `released`: a release was completed; `reaped`: nobody's empty file was removed; `unreadable`: left as it is */
  kind: 'recreated' | 'healed' | 'lost' | 'released' | 'reaped' | 'unreadable';
  network: string;
  address: string;
  message: string;
}

/** Within this time an unfinished file may be a claim of another node in progress: a cluster without quorum blocks for seconds. */
const inProgressMs = 60_000;
/** After this no node can still be about to finish it, its own heals by its row included. */
const abandonedMs = 24 * 3600_000;
/** files of a network that one look at what other nodes did reads again: half a second */
const followFiles = 1000;
/** files read at a time */
const parallel = 16;

type Owner = Pick<AddressReservation, 'vmid' | 'ifname'>;
type Place = Pick<AddressReservation, 'network' | 'address'>;

/** Rows and files of reservations, changed together in the order that createReservations explains. */
export function reservationIndex(options: {
  files: ReservationFiles;
  store: Store;
  clock: () => number;
  writable: () => boolean;
  shared: () => Promise<boolean>;
  node: string;
}) {
  const { files, store, clock, writable, shared, node } = options;
  /** network → where the next look at other nodes' files begins */
  const followed = new Map<string, number>();
  /** what this process began to release and could not yet; load finds those of an earlier process */
  const begunReleases = new Map<string, Place>();
  const isOwn = (row: AddressReservation) => row.node === undefined || row.node === node;
  /** Where no other node writes, no claim is in progress but our own, and of those one at a time: locks. */
  const mayBeInProgress = async (writtenAt: number) => clock() - writtenAt < inProgressMs && (await shared());
  /** Not so when another node took it over, keeps it for who was destroyed, or gave it back, and this one has not looked since. */
  const isUnchanged = (claim: Claim, row: AddressReservation) =>
    claim.releaseAt === row.releaseAt && (row.node === undefined || claim.node === row.node);
  const isOf = (claim: Claim, owner: Owner) => claim.vmid === owner.vmid && claim.ifname === owner.ifname;
  const claimOf = (row: AddressReservation): Omit<Claim, 'attempt'> => ({
    vmid: row.vmid,
    ifname: row.ifname,
    node,
    since: row.since,
    releaseAt: row.releaseAt,
  });

  /** The row as the file has it. */
  function put({ network, address }: Place, claim: Omit<Claim, 'attempt'>): void {
    const present = store.addresses.get(network, address);
    const { vmid, ifname, since, releaseAt } = claim;
    const row: AddressReservation = {
      ...{ network, address, vmid, ifname, since, releaseAt, node: claim.node },
      state: releaseAt === null ? 'reserved' : 'kept',
    };
    if (present && JSON.stringify(sorted(present)) === JSON.stringify(sorted(row))) return;
    store.transaction(() => {
      if (present) store.addresses.remove(network, address);
      store.addresses.put(row);
    });
  }

  /** Makes an address the owner's that has no row; false when its file is another's. */
  async function claim(network: string, address: string, owner: Owner): Promise<boolean> {
    const since = clock();
    const row: AddressReservation = {
      network,
      address,
      vmid: owner.vmid,
      ifname: owner.ifname,
      state: 'reserved',
      since,
      releaseAt: null,
      node,
    };
    store.addresses.put(row);
    try {
      return await make(row);
    } catch (error) {
      // only when it is known that nothing was left behind; else load settles it
      if ((await held(row).catch(() => null))?.kind === 'absent') store.addresses.remove(network, address);
      throw error;
    }
  }

  /** Makes the file of a row that has none. When another has the file, the row says so afterwards. */
  async function make(row: AddressReservation): Promise<boolean> {
    return (await files.create(row.network, row.address, claimOf(row))) || settle(row, await held(row));
  }

  /** Makes the row follow a file that was found; whether it is the row's owner's. */
  function settle(row: AddressReservation, found: Held): boolean {
    if (found.kind !== 'claim') {
      store.addresses.remove(row.network, row.address);
      return false;
    }
    put(row, found.claim);
    return isOf(found.claim, row) && found.claim.releaseAt === null;
  }

  const held = (row: Place) => files.read(row.network, row.address);

  /** Whether a row's owner has the address by its file as well. Where files cannot be read or made, the row counts. */
  async function confirm(row: AddressReservation): Promise<boolean> {
    const found = await held(row).catch((error) => {
      if (writable()) throw error;
      return null;
    });
    if (found === null || (!writable() && found.kind !== 'claim')) return true;
    if (found.kind === 'absent') return isOwn(row) ? make(row) : settle(row, found);
    if (found.kind === 'unfinished') {
      if (!isOwn(row)) return false;
      if (await heal(row, found.writtenAt)) return true;
      throw addressTaken(row.network, row.address, row.vmid, null);
    }
    if (!isOf(found.claim, row) || found.claim.releaseAt !== null) return settle(row, found);
    if (found.claim.node !== node && writable()) await change({ ...row, since: found.claim.since }, null);
    return true;
  }

  /** Finishes what a crash of this node left unfinished. */
  async function heal(row: AddressReservation, writtenAt: number): Promise<boolean> {
    if (await mayBeInProgress(writtenAt)) return false;
    return (await files.reap(row.network, row.address)) && make(row);
  }

  /** The same by looking alone, so that it waits for nobody: it is this node's by its file. */
  async function isConfirmed(row: AddressReservation): Promise<boolean> {
    const found = await held(row).catch(() => null);
    return found?.kind === 'claim' && isOf(found.claim, row) && found.claim.node === node && found.claim.releaseAt === null;
  }

  /** The same owner, on this node, kept until `releaseAt` or reserved when it is null. */
  async function change(row: AddressReservation, releaseAt: number | null): Promise<void> {
    const wanted = claimOf({ ...row, releaseAt });
    const found = await held(row);
    if (found.kind === 'absent') {
      if (!(await files.create(row.network, row.address, wanted))) return void settle(row, await held(row));
    } else if (found.kind === 'claim' && !isOf(found.claim, row)) {
      return void settle(row, found);
    } else if (found.kind === 'unfinished' && (await mayBeInProgress(found.writtenAt))) {
      throw addressTaken(row.network, row.address, row.vmid, null);
    } else await files.rewrite(row.network, row.address, wanted);
    put(row, wanted);
  }

  /** Frees an address; false when it was not this row's owner's, or cannot be freed yet. */
  async function release({ network, address }: Place): Promise<boolean> {
    const row = store.addresses.get(network, address);
    if (!row) return false;
    if (!row.releasing) store.addresses.put({ ...row, releasing: true });
    begunReleases.set(`${network}/${address}`, { network, address });
    const freed = await free(row);
    if (freed !== 'later') begunReleases.delete(`${network}/${address}`);
    return freed === 'freed';
  }

  async function free(row: AddressReservation): Promise<'freed' | 'another' | 'later'> {
    const found = await held(row);
    if (found.kind === 'unfinished' && (await mayBeInProgress(found.writtenAt))) return 'later';
    if (found.kind === 'claim' && !(isOf(found.claim, row) && isUnchanged(found.claim, row))) {
      settle(row, found);
      return 'another';
    }
    if (found.kind === 'unfinished') await files.reap(row.network, row.address);
    if (found.kind === 'claim') await files.remove(row.network, row.address);
    store.addresses.remove(row.network, row.address);
    return 'freed';
  }

  /** Whether the file, too, says that the time of a kept address has come: another node may have restored it. */
  async function isDue(row: AddressReservation, now: number): Promise<boolean> {
    const found = await held(row);
    if (found.kind !== 'claim') return found.kind === 'absent';
    put(row, found.claim);
    return isOf(found.claim, row) && found.claim.releaseAt !== null && found.claim.releaseAt <= now;
  }

  /** Whether other nodes have, or may have, a part in the files: on the cluster filesystem, or where one of their files was seen. */
  const hasOthers = async (network: string) => (await shared()) || store.addresses.list({ network }).some((row) => !isOwn(row));

  /** Takes over what other nodes did, and completes releases. Returns the addresses that are not free. Where no other
   *  node has a part in the files, those that have a row need not be read. */
  async function refresh(network: string): Promise<Set<string>> {
    for (const place of [...begunReleases.values()]) if (place.network === network) await release(place);
    const names = await files.addresses(network);
    if (await hasOthers(network)) {
      await readAll(network, names.filter(isAddress), []);
      dropForeign(network, new Set(names));
    }
    const taken = store.addresses.taken(network);
    const unknown = names.filter((name) => !taken.has(name));
    await readAll(network, unknown.filter(isAddress), []);
    for (const name of unknown) taken.add(name);
    return taken;
  }

  /** Takes over what other nodes did: at once what is new or gone, the rest some files at a time, since nothing says that one changed. */
  async function follow(network: string): Promise<void> {
    if (!(await hasOthers(network))) return;
    const names = (await files.addresses(network)).filter(isAddress);
    dropForeign(network, new Set(names));
    const taken = store.addresses.taken(network);
    const from = (followed.get(network) ?? 0) % Math.max(names.length, 1);
    followed.set(network, from + followFiles);
    const due = new Set([...names.slice(from), ...names.slice(0, from)].slice(0, followFiles));
    await readAll(
      network,
      names.filter((name) => due.has(name) || !taken.has(name)),
      [],
    );
  }

  /** Rows of other nodes whose files are gone: they were released there. */
  function dropForeign(network: string, names: ReadonlySet<string>): void {
    const gone = store.addresses.list({ network }).filter((row) => !isOwn(row) && !names.has(row.address));
    store.transaction(() => {
      for (const { address } of gone) store.addresses.remove(network, address);
    });
  }

  /** Reads files and makes the rows follow; the unfinished ones are returned. */
  async function readAll(network: string, addresses: string[], findings: Finding[]): Promise<{ address: string; writtenAt: number }[]> {
    const unfinished: { address: string; writtenAt: number }[] = [];
    for (let start = 0; start < addresses.length; start += parallel) {
      const batch = addresses.slice(start, start + parallel);
      const found = await Promise.allSettled(batch.map((address) => files.read(network, address)));
      store.transaction(() => {
        found.forEach((outcome, position) => {
          const address = batch[position] as string;
          const place = { network, address };
          if (outcome.status === 'rejected')
            findings.push({ kind: 'unreadable', ...place, message: `${address} cannot be read: ${outcome.reason}` });
          else if (outcome.value.kind === 'unfinished') unfinished.push({ address, writtenAt: outcome.value.writtenAt });
          else if (outcome.value.kind === 'claim') {
            const row = store.addresses.get(network, address);
            const { claim } = outcome.value;
            if (row?.releasing && isOf(claim, row)) return;
            if (row && isOwn(row) && !isOf(claim, row))
              findings.push({
                kind: 'lost',
                ...place,
                message: `${address} was container ${row.vmid}'s and is container ${claim.vmid}'s by its file`,
              });
            put(place, claim);
          }
        });
      });
    }
    return unfinished;
  }

  /** Index and files of one network brought together; the files' word counts. Without a root that takes changes only
   *  what can be read is taken over. */
  async function load(network: string): Promise<Finding[]> {
    const findings: Finding[] = [];
    const note = (kind: Finding['kind'], address: string, message: string) => findings.push({ kind, network, address, message });
    const names = await files.addresses(network);
    const addresses = names.filter(isAddress);
    for (const name of names) if (!isAddress(name)) note('unreadable', name, `${name} is not an address; remove the file`);
    const unfinished = await readAll(network, addresses, findings);
    if (!writable()) return findings;

    for (const { address, writtenAt } of unfinished) {
      const row = store.addresses.get(network, address);
      if (row && isOwn(row) && !row.releasing && (await heal(row, writtenAt)))
        note('healed', address, `the file of ${address} was empty; written again`);
      else if (!row && clock() - writtenAt > abandonedMs && (await files.reap(network, address)))
        note('reaped', address, `the file of ${address} was empty and nobody's; removed`);
    }
    await files.tidy(network, clock() - abandonedMs);
    const present = new Set(addresses);
    for (const row of store.addresses.list({ network })) {
      const { address, vmid } = row;
      if (row.releasing) (await release(row)) && note('released', address, `the release of ${address} is completed`);
      else if (present.has(address)) continue;
      else if (!isOwn(row)) store.addresses.remove(network, address);
      else if (await make(row)) note('recreated', address, `the file of ${address} (container ${vmid}) was missing; written again`);
      else note('lost', address, `${address} was container ${vmid}'s and is another's by its file`);
    }
    return findings;
  }

  return { claim, confirm, isConfirmed, change, release, isDue, refresh, follow, load };
}

function isAddress(name: string): boolean {
  return canonicalIp(name) === name;
}

function sorted(row: AddressReservation): [string, unknown][] {
  return Object.entries(row).sort(([one], [other]) => (one < other ? -1 : 1));
}
