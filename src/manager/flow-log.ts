import { asPveCniError } from '../model/errors.ts';
import type { Flow, FlowFilter, FlowLimits, FlowLoss, FlowLossPlace, FlowNews, FlowVerdict, KeptFlow } from '../model/flow.ts';
import type { FlowStore } from '../state/flow-store.ts';
import type { Log } from './dependencies.ts';
import { createFlowFollowers } from './flow-followers.ts';

/** Every flow goes through here, whoever saw it: to those who follow, and in batches to the store. Nothing here waits, and nothing grows
 *  without bound: what does not fit is counted as lost. */
export interface FlowLog {
  take(flow: Flow): void;
  lose(loss: FlowLoss): void;
  /** Kept flows, newest first, with those that still wait to be written. */
  page(
    filter: FlowFilter,
    options: { before?: number | undefined; limit: number; signal?: AbortSignal },
  ): Promise<{ flows: KeptFlow[]; next: number | null }>;
  losses(since: number): FlowLoss[];
  follow(filter: FlowFilter, signal: AbortSignal): AsyncGenerator<FlowNews>;
  /** Time of the last flow that was kept, before this life of the service too; null when there is none. */
  newest(): number | null;
  /** Whether flows are kept at all. */
  keeps(): boolean;
  /** Whether anybody wants flows: the store or a follower. */
  wanted(): boolean;
  counts(): FlowCounts;
  /** Begins to write and to remove by age and size. */
  start(): void;
  /** Ends the followers and writes what waits. */
  stop(): void;
}

/** Since the start of the service. */
export interface FlowCounts {
  kept: number;
  lost: Readonly<Record<FlowLossPlace, number>>;
  /** times that flows were missed, nobody knows how many */
  gaps: number;
  /** reason → flows that were dropped for it */
  drops: ReadonlyMap<string, number>;
  /** policy → verdict → flows that it decided */
  policies: ReadonlyMap<string, ReadonlyMap<FlowVerdict, number>>;
  /** in the store now */
  rows: number;
  bytes: number;
  /** why the store does not work now */
  problem: string | null;
}

const batchRows = 500;
const waitingLimit = 10 * batchRows;
const reasonsLimit = 100;
const policiesLimit = 500;
const everyMs = 1000;
const dayMs = 24 * 3600 * 1000;
/** of one turn of the clock; more than can come in it */
const trimsPerTurn = 4;

export function createFlowLog(options: { store: FlowStore; limits: () => FlowLimits; clock: () => number; log: Log }): FlowLog {
  const { store, limits, clock, log } = options;
  const followers = createFlowFollowers(clock);
  const lost: Record<FlowLossPlace, number> = { kernel: 0, agent: 0, hubble: 0, queue: 0, store: 0, follower: 0, away: 0 };
  const drops = new Map<string, number>();
  const policies = new Map<string, Map<FlowVerdict, number>>();
  let waiting: Flow[] = [];
  let losses: FlowLoss[] = [];
  let overflow: { since: number; until: number; count: number } | null = null;
  let kept = 0;
  let gaps = 0;
  let problem: string | null = null;
  let timer: NodeJS.Timeout | null = null;

  const keeping = () => limits().retentionDays > 0;

  function lose({ since, until, ...rest }: FlowLoss): void {
    const loss = { ...rest, since: Math.floor(since), until: Math.floor(until) };
    if (loss.count === null) gaps += 1;
    else lost[loss.place] += loss.count;
    followers.publish({ type: 'loss', loss });
    if (keeping()) remember(loss);
  }

  /** Reasons and names come from outside, so their number is bounded, too. */
  function count({ verdict, reason, policies: deciding }: Flow): void {
    if (verdict === 'dropped') {
      const counted = drops.has(reason) || drops.size < reasonsLimit ? reason : 'other';
      drops.set(counted, (drops.get(counted) ?? 0) + 1);
    }
    for (const name of deciding) {
      const counted = policies.has(name) || policies.size < policiesLimit ? name : 'other';
      const verdicts = policies.get(counted) ?? new Map<FlowVerdict, number>();
      policies.set(counted, verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1));
    }
  }

  /** Losses of one place in one batch are one row. */
  function remember(loss: FlowLoss): void {
    const same = losses.find(({ place, count }) => place === loss.place && count !== null);
    if (same && loss.count !== null) {
      same.count = (same.count ?? 0) + loss.count;
      same.until = Math.max(same.until, loss.until);
    } else if (losses.length < 100) losses.push({ ...loss });
  }

  function flush(): void {
    if (overflow) lose({ place: 'queue', ...overflow });
    overflow = null;
    if (waiting.length === 0 && losses.length === 0) return;
    const [flows, missed] = [waiting, losses];
    [waiting, losses] = [[], []];
    for (let from = 0; from === 0 || from < flows.length; from += batchRows)
      write(flows.slice(from, from + batchRows), from === 0 ? missed : []);
  }

  /** What the store cannot do now is said once, and tried again with the next batch. */
  function write(batch: readonly Flow[], missed: readonly FlowLoss[]): void {
    try {
      store.add(batch, missed);
      kept += batch.length;
      if (problem !== null) log.info({}, 'flows are kept again');
      problem = null;
    } catch (thrown) {
      const { message, retryable } = asPveCniError(thrown);
      if (message !== problem) log.error({ err: thrown }, 'flows cannot be kept');
      problem = message;
      // what cannot be written at all must not come again with every batch
      if (retryable) for (const loss of missed) remember(loss);
      const [first, last] = [batch[0], batch.at(-1)];
      if (first && last) lose({ place: 'store', since: first.time, until: last.time, count: batch.length });
    }
  }

  function trim(): void {
    const { retentionDays, maxMegabytes } = limits();
    const bounds = { olderThan: clock() - retentionDays * dayMs, maxBytes: maxMegabytes * 1024 * 1024 };
    for (let turn = 0; turn < trimsPerTurn; turn++) if (asked(() => store.trim(bounds), 0) === 0) return;
  }

  /** A question to a store that does not work, or is not there yet, is answered as if it were empty. */
  function asked<T>(question: () => T, otherwise: T): T {
    try {
      return question();
    } catch {
      return otherwise;
    }
  }

  return {
    take(flow) {
      count(flow);
      followers.publish({ type: 'flow', flow });
      if (!keeping()) return;
      if (waiting.length < waitingLimit) waiting.push(flow);
      else {
        overflow ??= { since: flow.time, until: flow.time, count: 0 };
        overflow.until = flow.time;
        overflow.count += 1;
      }
      if (waiting.length === batchRows) setImmediate(flush);
    },
    lose,
    page(filter, page) {
      flush();
      return store.page(filter, page);
    },
    losses: (since) => asked(() => store.losses(since), []),
    follow: (filter, signal) => followers.follow(filter, signal),
    newest: () => asked(() => store.newest(), null),
    keeps: keeping,
    wanted: () => keeping() || followers.count > 0,
    counts: () => ({ kept, lost, gaps, drops, policies, problem, ...asked(() => store.size(), { rows: 0, bytes: 0 }) }),
    start() {
      timer = setInterval(() => {
        flush();
        trim();
      }, everyMs);
      timer.unref();
    },
    stop() {
      clearInterval(timer ?? undefined);
      followers.end();
      flush();
    },
  };
}
