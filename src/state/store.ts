import type { EndedOperation } from '../core/durations.ts';
import type { AddressReservation, Attachment, Debt, Life } from '../model/attachment.ts';
import type { Operation } from '../model/operation.ts';

/** The journal and index of one node, in SQLite. Synchronous; what a call has returned from is durable, but for `relaxed`. */
export interface Store {
  lives: {
    list(): Life[];
    get(vmid: number): Life | null;
    /** generation of the newest life ever, 0 when there was none; kept when the life is removed */
    lastGeneration(vmid: number): number;
    put(life: Life): void;
    remove(vmid: number): void;
  };
  attachments: {
    list(filter?: { vmid?: number; network?: string }): Attachment[];
    get(vmid: number, ifname: string): Attachment | null;
    /** whether there is any */
    any(): boolean;
    /** all, or those in a phase, without what is large (requests and results): a tenth of the time */
    brief(
      phase?: Attachment['phase'],
    ): Pick<Attachment, 'vmid' | 'ifname' | 'network' | 'phase' | 'containerId' | 'hostInterface' | 'addresses'>[];
    /** @throws StateError INTERNAL when the move of phases is not one of attachmentMoves */
    put(attachment: Attachment): void;
    remove(vmid: number, ifname: string): void;
  };
  debts: {
    list(): Debt[];
    add(debt: Omit<Debt, 'id'>): Debt;
    put(debt: Debt): void;
    remove(id: number): void;
  };
  addresses: {
    list(filter?: { network?: string; vmid?: number }): AddressReservation[];
    get(network: string, address: string): AddressReservation | null;
    /** addresses of a network that are not free, canonical text */
    taken(network: string): Set<string>;
    /** @throws IPAMError IPAM_ADDRESS_TAKEN when another (vmid, ifname) has it */
    put(reservation: AddressReservation): void;
    remove(network: string, address: string): void;
  };
  operations: {
    /** a new row; `end` is null */
    begin(operation: Operation): void;
    end(operation: Operation): void;
    get(id: string): Operation | null;
    /** newest first; without spans and texts. `before`: those that began before the one of this id */
    list(filter: { vmid?: number; limit: number; before?: string }): Operation[];
    /** attaches and detaches that began after this (epoch ms) and have ended, newest first */
    ended(since: number, limit: number): EndedOperation[];
    /** rows without an end, for the start of the service */
    open(): Operation[];
    /** removes ended rows older than this; returns how many */
    prune(olderThan: number): number;
  };
  /** last good text of each configuration file, served while the root is not available */
  configuration: {
    list(): { file: string; text: string }[];
    put(file: string, text: string): void;
    remove(file: string): void;
  };
  /** vmids whose container has been seen to exist: only such a one can be found destroyed */
  seen: {
    list(): number[];
    add(vmid: number): void;
    remove(vmid: number): void;
  };
  /** several changes, one durable commit, all or nothing */
  transaction<T>(work: () => T): T;
  /** Changes that survive the end of this process at once, and a power cut with the next commit of anything else: for what
   *  a power cut makes pointless, or what is followed by a durable commit before anybody relies on it. Saves waiting for
   *  the disk. Not within a transaction. */
  relaxed(work: () => void): void;
  /** what the opening had to do: null, or why the file was set aside and that it must be rebuilt */
  readonly rebuilt: { reason: string; setAside: string } | null;
  /** whether nothing is known from before: the first start ever, a file that was lost, or one that was set aside */
  readonly fresh: boolean;
  close(): void;
}
