import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';

/** several events of one change are one look */
const gatherMs = 50;

/** Calls `look` at every interval and soon after the system says that something changed. The interval is the truth: on a
 *  cluster filesystem changes of other nodes make no event. `look` is never called while it runs. */
export function watchRoot(options: {
  root: string;
  pollMs: number;
  look: () => Promise<unknown>;
  log: (message: string, facts: object) => void;
}): { stop(): Promise<void> } {
  const { root, pollMs, look, log } = options;
  const watchers = new Map<string, FSWatcher>();
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<unknown> | null = null;
  let hinted = false;
  let stopped = false;

  function schedule(delayMs: number): void {
    clearTimeout(timer);
    if (!stopped) timer = setTimeout(begin, delayMs);
  }

  function begin(): void {
    hinted = false;
    looking = look()
      .catch((error) => log('a look at the configuration failed; the next one follows', { error }))
      .finally(() => {
        looking = null;
        arm();
        schedule(hinted ? gatherMs : pollMs);
      });
  }

  function hint(): void {
    if (hinted) return;
    hinted = true;
    if (!looking) schedule(gatherMs);
  }

  /** Folders come and go; those that are not watched now are tried again after every look. */
  function arm(): void {
    if (stopped) return;
    for (const folder of ['.', 'networks', 'containers', 'policies', 'services']) {
      if (watchers.has(folder)) continue;
      try {
        const watcher = watch(join(root, folder), { persistent: false }, hint);
        const forget = () => {
          watcher.close();
          if (watchers.get(folder) === watcher) watchers.delete(folder);
        };
        watcher.on('error', forget);
        // the folder itself was removed or renamed: its watcher sees nothing more
        watcher.on('change', (event, name) => {
          if (event === 'rename' && name === (folder === '.' ? root.slice(root.lastIndexOf('/') + 1) : folder)) forget();
        });
        watchers.set(folder, watcher);
      } catch {
        // not there, or no more watches to be had: polling finds it
      }
    }
  }

  arm();
  schedule(pollMs);
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      for (const watcher of watchers.values()) watcher.close();
      watchers.clear();
      await looking;
    },
  };
}
