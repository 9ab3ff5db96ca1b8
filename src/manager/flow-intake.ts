import { setTimeout as pause } from 'node:timers/promises';
import type { Hubble, HubbleMemory } from '../cilium/hubble.ts';
import { asPveCniError } from '../model/errors.ts';
import type { FlowLoss } from '../model/flow.ts';
import type { Log } from './dependencies.ts';
import type { FlowLog } from './flow-log.ts';

/** Keeps the service connected to Hubble while anybody wants flows, over every end of the agent, and notes what was missed in between. */
export interface FlowIntake {
  start(): void;
  stop(): Promise<void>;
  state(): FlowIntakeState;
}

/** `off`: nobody wants flows; `absent`: there is no Hubble on this node; `away`: there is, and it does not answer. */
export interface FlowIntakeState {
  hubble: 'off' | 'absent' | 'connected' | 'away';
  /** why it is away */
  problem: string | null;
}

export interface FlowIntakeOptions {
  flows: FlowLog;
  /** whether Hubble's socket is there */
  present: () => boolean;
  /** @throws CNIError CILIUM_UNAVAILABLE */
  connect: () => Promise<Hubble>;
  clock: () => number;
  log: Log;
  /** between two tries, ms */
  pauseMs?: number;
  /** between two looks whether an agent that says nothing is still there, ms */
  heartbeatMs?: number;
}

export function createFlowIntake({
  flows,
  present,
  connect,
  clock,
  log,
  pauseMs = 1000,
  heartbeatMs = 30_000,
}: FlowIntakeOptions): FlowIntake {
  const stopping = new AbortController();
  const { signal } = stopping;
  let state: FlowIntakeState = { hubble: 'off', problem: null };
  let running: Promise<void> = Promise.resolve();
  /** when Hubble was heard last; by an earlier life of the service, too */
  let heardUntil: number | null = null;

  async function run(): Promise<void> {
    heardUntil = flows.newest();
    while (!signal.aborted) {
      if (!flows.wanted()) {
        turn({ hubble: 'off', problem: null });
        heardUntil = null;
      } else if (!present()) turn({ hubble: 'absent', problem: null });
      else await listen().catch((error) => turn({ hubble: 'away', problem: asPveCniError(error).message }));
      await pause(pauseMs, undefined, { signal }).catch(() => {});
    }
  }

  /** Resolves when nobody wants flows any more. */
  async function listen(): Promise<void> {
    const hubble = await connect();
    const unwanted = new AbortController();
    const broken = new AbortController();
    const timers = [
      setInterval(() => flows.wanted() || unwanted.abort(), pauseMs),
      // an agent that hangs keeps its connections open
      setInterval(() => void hubble.memory().catch((error) => broken.abort(error)), heartbeatMs),
    ];
    try {
      const memory = await hubble.memory();
      const missed = gapOf(heardUntil, memory);
      if (missed) flows.lose(missed);
      const first = flows.keeps() ? memory.startedAt : clock();
      turn({ hubble: 'connected', problem: null });
      await hubble.follow({
        since: heardUntil === null ? first : heardUntil + 1,
        signal: AbortSignal.any([signal, unwanted.signal, broken.signal]),
        listener: {
          flow: flows.take,
          lost: (place, count) => flows.lose({ place, count, since: clock(), until: clock() }),
        },
      });
      if (broken.signal.aborted) throw broken.signal.reason;
    } finally {
      for (const timer of timers) clearInterval(timer);
      if (state.hubble === 'connected') heardUntil = clock();
      hubble.close();
    }
  }

  function turn(next: FlowIntakeState): void {
    if (next.hubble !== state.hubble)
      if (next.hubble === 'away') log.warn({ reason: next.problem }, 'Hubble does not answer; flows are missed');
      else log.info({}, `flows: Hubble is ${next.hubble}`);
    state = next;
  }

  return {
    start() {
      running = run();
    },
    async stop() {
      stopping.abort();
      await running;
    },
    state: () => state,
  };
}

/** What nobody has seen: nothing is remembered from before Hubble began, nor from before the oldest that is not overwritten. */
function gapOf(heardUntil: number | null, { startedAt, oldest, overwritten }: HubbleMemory): FlowLoss | null {
  if (heardUntil === null) return null;
  const known = Math.max(startedAt, overwritten && oldest !== null ? oldest : 0);
  return known > heardUntil ? { place: 'away', since: heardUntil, until: known, count: null } : null;
}
