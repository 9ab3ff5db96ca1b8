import type { Flow, FlowFilter, FlowLoss, KeptFlow } from '../model/flow.ts';

/** The flows that are kept, of this node, whoever saw them. Expendable: a file that is damaged is begun anew.
 *
 *  A file of its own, `flows.db`, beside `state.db`. Flows are many and worth little each, the journal is the reverse: a commit of the journal
 *  waits for the disk, and must not wait for megabytes of flows too; its file is checked as a whole at each start, which half a gigabyte
 *  would make slow. The last of the disk is left to the journal. Here nothing ever waits for the disk, so that a batch
 *  costs an attach a few milliseconds at most. The process may die at any moment without harm; after a power cut the file may be damaged. */
export interface FlowStore {
  /** One transaction. @throws StateError STATE_WRITE_FAILED; nothing of the batch is kept then */
  add(flows: readonly Flow[], losses: readonly FlowLoss[]): void;
  /** Newest first, those before `before` (an id). Looks at a slice of the rows at a time and lets others work in between.
   *  `next`: give it as `before` to go on; null: there is nothing more. */
  page(
    filter: FlowFilter,
    options: { before?: number | undefined; limit: number; signal?: AbortSignal },
  ): Promise<{ flows: KeptFlow[]; next: number | null }>;
  /** Those that ended after `since`, newest first, at most 100. */
  losses(since: number): FlowLoss[];
  /** Time of the last one; null when there is none. */
  newest(): number | null;
  /** Removes the oldest until the rest is young enough and the file small enough, a bounded number in one call.
   *  Returns how many; call it again while that is more than 0. */
  trim(limits: { olderThan: number; maxBytes: number }): number;
  size(): { rows: number; bytes: number };
  close(): void;
}
