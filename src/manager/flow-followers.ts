import { matches } from '../core/flows.ts';
import type { FlowFilter, FlowNews } from '../model/flow.ts';

/** Those who follow the flows live, each at its own speed. */
export interface FlowFollowers {
  readonly count: number;
  publish(news: FlowNews): void;
  /** News that match, as they come, until `signal` aborts or all are ended. */
  follow(filter: FlowFilter, signal: AbortSignal): AsyncGenerator<FlowNews>;
  /** Ends all of them, after what they have not read yet. */
  end(): void;
}

/** News that wait for one reader; more are lost to it, and it is told how many. */
const waitingLimit = 2000;

interface Follower {
  filter: FlowFilter;
  waiting: FlowNews[];
  missed: { since: number; until: number; count: number } | null;
  wake: () => void;
  ended: boolean;
}

export function createFlowFollowers(clock: () => number): FlowFollowers {
  const followers = new Set<Follower>();

  function offer(follower: Follower, news: FlowNews): void {
    if (news.type === 'flow' && !matches(follower.filter, news.flow)) return;
    if (follower.waiting.length < waitingLimit && !follower.missed) follower.waiting.push(news);
    else {
      const now = clock();
      follower.missed ??= { since: now, until: now, count: 0 };
      follower.missed.until = now;
      follower.missed.count += 1;
    }
    follower.wake();
  }

  async function* read(follower: Follower, signal: AbortSignal): AsyncGenerator<FlowNews> {
    try {
      while (!signal.aborted) {
        const [...news] = follower.waiting.splice(0);
        for (const one of news) {
          yield one;
          if (signal.aborted) return;
        }
        const { missed } = follower;
        if (missed) {
          follower.missed = null;
          yield { type: 'loss', loss: { place: 'follower', ...missed } };
        }
        if (follower.waiting.length > 0) continue;
        if (follower.ended) return;
        await new Promise<void>((resolve) => {
          follower.wake = resolve;
        });
      }
    } finally {
      followers.delete(follower);
    }
  }

  return {
    get count() {
      return followers.size;
    },
    publish(news) {
      for (const follower of followers) offer(follower, news);
    },
    follow(filter, signal) {
      const follower: Follower = { filter, waiting: [], missed: null, wake: () => {}, ended: false };
      // from now on, not from the first read on
      followers.add(follower);
      const leave = () => {
        followers.delete(follower);
        follower.wake();
      };
      signal.addEventListener('abort', leave, { once: true });
      return read(follower, signal);
    },
    end() {
      for (const follower of followers) {
        follower.ended = true;
        follower.wake();
      }
    },
  };
}
