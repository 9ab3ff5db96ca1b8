import { hostname } from 'node:os';
import { Mutex } from 'async-mutex';
import { chooseAddress, familyOf, isUsable } from '../core/addresses.ts';
import { canonicalIp } from '../core/ip.ts';
import type { AddressReservation } from '../model/attachment.ts';
import type { Subnet } from '../model/network.ts';
import { addressOutside, addressTaken, fileFailure, poolExhausted, readOnly } from './reservation-errors.ts';
import { isClusterFileSystem, reservationFiles } from './reservation-files.ts';
import { type Finding, reservationIndex } from './reservation-index.ts';
import type { Store } from './store.ts';

export interface ReservationOptions {
  /** folder of the cluster's configuration */
  root: string;
  store: Store;
  /** epoch ms; one that follows the steady clock, so that a jump of the system's time releases nothing early */
  clock: () => number;
  /** whether the root is there and takes changes (mounted, quorate) */
  writable: () => boolean;
  /** name of this node in the files; the host name when absent */
  node?: string;
  /** whether other nodes change the same files, so that the index alone proves nothing; when absent, whether the root
   *  lies in Proxmox's cluster file system */
  shared?: boolean;
}

/** Who wants which addresses on a network: `auto` is one of each family that the network has. */
export interface AddressRequest {
  vmid: number;
  ifname: string;
  wanted: 'auto' | readonly string[];
}

/** The cluster's addresses. Nothing changes while the root takes no changes: then what exists is answered from the
 *  index, and everything else throws IPAM_READ_ONLY. */
export interface Reservations {
  /** Addresses of an interface in canonical text: what it has already as far as it fits, the missing ones made now. What
   *  it has and no longer fits stays reserved, since it may still be in use, until it is released.
   *  @throws IPAMError IPAM_POOL_EXHAUSTED, IPAM_ADDRESS_TAKEN, IPAM_ADDRESS_OUTSIDE, IPAM_READ_ONLY; what was newly
   *  reserved is given back. StateError STATE_WRITE_FAILED */
  reserve(network: string, subnets: readonly Subnet[], request: AddressRequest): Promise<string[]>;
  /** Frees an address. The caller knows that no container uses it, on any node. */
  release(network: string, address: string): Promise<void>;
  /** Frees what a container, or one interface of it, has, kept addresses included. */
  releaseFor(vmid: number, ifname?: string): Promise<void>;
  /** Keeps the addresses of a destroyed container from everybody until a time (epoch ms). */
  keep(vmid: number, releaseAt: number): Promise<void>;
  /** Gives kept addresses back to their container, which is restored. */
  reclaim(vmid: number): Promise<void>;
  /** Frees kept addresses whose time has come, and says which. */
  expire(now: number): Promise<AddressReservation[]>;
  /** Takes over what other nodes did meanwhile. */
  follow(): Promise<void>;
  /** Brings index and files together at the start of the service, and completes what a crash left half done. */
  load(): Promise<Finding[]>;
}

/** INVARIANTS, at every moment, and so after SIGKILL or a power cut at any moment:
 *  - The file is the truth. An address is somebody's when its file exists; O_EXCL lets one of all nodes make it, and it
 *    is unlinked only for the interface that it names. So no address has two owners.
 *  - reserve: row (durable) → file (durable) → answer. A row without a file was not answered yet, or its file was deleted
 *    by hand: load makes the file again unless another owner has it. A file without a row, of a lost index, becomes a
 *    row. A file that was created and not written is finished by the node whose row names it: at once where it alone
 *    writes, after a minute where a node may still be writing it.
 *  - release: row marked as releasing (durable) → file unlinked (durable) → row removed. load and the next reservation
 *    complete a marked one. So no address stays taken without a row that somebody can release.
 *  - keep, reclaim and the move to another node replace the file's content first, then the row: the file's word counts.
 *  One change at a time per network: `locks`. Functions of the index expect the lock to be held. */
export function createReservations(options: ReservationOptions): Reservations {
  const { root, store, clock, writable, node = hostname() } = options;
  const shared = async () => options.shared ?? (await isClusterFileSystem(root));
  const files = reservationFiles(root);
  const index = reservationIndex({ files, store, clock, writable, shared, node });
  const locks = new Map<string, Mutex>();

  function locked<T>(network: string, work: () => Promise<T>): Promise<T> {
    const lock = locks.get(network) ?? new Mutex();
    locks.set(network, lock);
    return lock.runExclusive(() => work().catch((error) => Promise.reject(fileFailure(root, network, error))));
  }

  const networks = () => files.networks().catch((error) => Promise.reject(fileFailure(root, '*', error)));

  /** Runs `work` for each row that matches, under its network's lock, with the row as it is by then. */
  async function each(rows: AddressReservation[], work: (row: AddressReservation) => Promise<unknown>): Promise<void> {
    for (const { network, address } of rows)
      await locked(network, async () => {
        const row = store.addresses.get(network, address);
        if (row) await work(row);
      });
  }

  /** Rows of a container, those that another node made lately included. */
  async function rowsOf(vmid: number): Promise<AddressReservation[]> {
    if (!writable()) throw readOnly(root, `the addresses of container ${vmid}`);
    for (const network of await networks()) await locked(network, () => index.refresh(network));
    return store.addresses.list({ vmid });
  }

  async function reserve(network: string, subnets: readonly Subnet[], request: AddressRequest): Promise<string[]> {
    let held = await heldBy(network, subnets, request, index.confirm);
    if (missing(network, subnets, request, held).length > 0) {
      if (!writable()) throw readOnly(root, `an address of network "${network}" for container ${request.vmid}`);
      const taken = await index.refresh(network);
      // another node may have reserved for this container before it came here
      held = await heldBy(network, subnets, request, index.confirm);
      held = [...held, ...(await reserveNew(network, subnets, request, missing(network, subnets, request, held), taken))];
    }
    return chosen(network, subnets, request, held);
  }

  /** What the interface has and may go on having, oldest first. */
  async function heldBy(
    network: string,
    subnets: readonly Subnet[],
    { vmid, ifname }: AddressRequest,
    confirms: (row: AddressReservation) => Promise<boolean>,
  ): Promise<string[]> {
    const held: string[] = [];
    const rows = store.addresses
      .list({ vmid, network })
      .filter((row) => row.ifname === ifname && row.state === 'reserved' && !row.releasing);
    for (const row of rows.sort((one, other) => one.since - other.since))
      if (subnets.some((subnet) => isUsable(subnet, row.address)) && (await confirms(row))) held.push(row.address);
    return held;
  }

  /** All of what is missing (addresses, or families of which one is wanted), or nothing. */
  async function reserveNew(
    network: string,
    subnets: readonly Subnet[],
    request: AddressRequest,
    absent: readonly (string | number)[],
    taken: Set<string>,
  ): Promise<string[]> {
    const made: string[] = [];
    try {
      for (const one of absent)
        made.push(
          typeof one === 'string' ? await claimFixed(network, one, request) : await claimAny(network, subnets, one, request, taken),
        );
      return made;
    } catch (error) {
      for (const address of made) await index.release({ network, address }).catch(() => {}); // marked: completed later
      throw error;
    }
  }

  async function claimFixed(network: string, address: string, request: AddressRequest): Promise<string> {
    if (!store.addresses.get(network, address) && (await index.claim(network, address, request))) return address;
    throw addressTaken(network, address, request.vmid, store.addresses.get(network, address));
  }

  async function claimAny(
    network: string,
    subnets: readonly Subnet[],
    family: number,
    request: AddressRequest,
    taken: Set<string>,
  ): Promise<string> {
    for (const subnet of subnets.filter((one) => familyOf(one) === family)) {
      let address = chooseAddress(subnet, taken);
      while (address) {
        if (await index.claim(network, address, request)) return address;
        taken.add(address);
        address = chooseAddress(subnet, taken, address);
      }
    }
    throw poolExhausted(network, family, request.vmid, taken.size);
  }

  return {
    async reserve(network, subnets, request) {
      // a start must not wait for a change of another's reservation, which hangs while a cluster loses a node
      const held = await heldBy(network, subnets, request, index.isConfirmed);
      if (held.length > 0 && missing(network, subnets, request, held).length === 0) return chosen(network, subnets, request, held);
      return locked(network, () => reserve(network, subnets, request));
    },
    async release(network, address) {
      if (!writable()) throw readOnly(root, `the release of ${address}`);
      await locked(network, () => index.release({ network, address: canonicalIp(address) ?? address }));
    },
    async releaseFor(vmid, ifname) {
      const rows = await rowsOf(vmid);
      await each(
        rows.filter((row) => ifname === undefined || row.ifname === ifname),
        index.release,
      );
    },
    async keep(vmid, releaseAt) {
      await each(await rowsOf(vmid), async (row) => row.state === 'kept' || index.change(row, releaseAt));
    },
    async reclaim(vmid) {
      await each(await rowsOf(vmid), async (row) => row.state === 'reserved' || index.change(row, null));
    },
    async expire(now) {
      const due = store.addresses.list().filter(({ releaseAt }) => releaseAt !== null && releaseAt <= now);
      if (due.length === 0 || !writable()) return [];
      const freed: AddressReservation[] = [];
      await each(due, async (row) => (await index.isDue(row, now)) && (await index.release(row)) && freed.push(row));
      return freed;
    },
    async follow() {
      for (const network of await networks()) await locked(network, () => index.follow(network));
    },
    async load() {
      const known = new Set([...(await networks()), ...store.addresses.list().map((row) => row.network)]);
      const findings: Finding[] = [];
      for (const network of [...known].sort()) findings.push(...(await locked(network, () => index.load(network))));
      return findings;
    },
  };
}

/** Addresses, or families of which one is wanted. */
function missing(network: string, subnets: readonly Subnet[], { wanted }: AddressRequest, held: readonly string[]): (string | number)[] {
  if (wanted !== 'auto') return fixedAddresses(network, subnets, wanted).filter((address) => !held.includes(address));
  return families(subnets).filter((family) => !held.some((address) => isOfFamily(address, family)));
}

function chosen(network: string, subnets: readonly Subnet[], { wanted }: AddressRequest, held: readonly string[]): string[] {
  if (wanted !== 'auto') return fixedAddresses(network, subnets, wanted);
  return families(subnets).flatMap((family) => held.find((address) => isOfFamily(address, family)) ?? []);
}

function families(subnets: readonly Subnet[]): number[] {
  return [...new Set(subnets.map(familyOf))];
}

function isOfFamily(address: string, family: number): boolean {
  return address.includes(':') === (family === 6);
}

function fixedAddresses(network: string, subnets: readonly Subnet[], wanted: readonly string[]): string[] {
  return [
    ...new Set(
      wanted.map((text) => {
        const address = canonicalIp(text);
        if (address && subnets.some((subnet) => isUsable(subnet, address))) return address;
        throw addressOutside(network, subnets, text);
      }),
    ),
  ];
}
