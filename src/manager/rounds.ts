import { asPveCniError, errorRecord } from '../model/errors.ts';
import type { Log } from './dependencies.ts';

/** Something that is done again and again. */
export interface Round {
  /** for the log, after "cannot" */
  what: string;
  everyMs: number;
  work: () => Promise<unknown>;
}

/** Runs each round in its time, never beside itself; one that fails is logged and comes again. */
export function createRounds(log: Log, rounds: readonly Round[]): { start(): void; stop(): void } {
  const timers: NodeJS.Timeout[] = [];
  return {
    start() {
      for (const { what, everyMs, work } of rounds) {
        let running = false;
        const once = async () => {
          if (running) return;
          running = true;
          await work().catch((thrown) => log.error({ error: errorRecord(asPveCniError(thrown)) }, `cannot ${what}`));
          running = false;
        };
        timers.push(setInterval(() => void once(), everyMs));
      }
    },
    stop() {
      for (const timer of timers) clearInterval(timer);
    },
  };
}
