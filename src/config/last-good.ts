import type { Version } from './compose.ts';

/** Where last good texts are kept over restarts; what a put has returned from is durable. */
export interface LastGoodStore {
  list(): { file: string; text: string }[];
  put(file: string, text: string): void;
  remove(file: string): void;
}

/** The last good texts, written only when they change. A store that fails is logged and tried again with the next change:
 *  the configuration serves without it. */
export function createLastGood(options: {
  store: LastGoodStore;
  transaction: <Result>(work: () => Result) => Result;
  log: (message: string, facts: object) => void;
}) {
  const { store, transaction, log } = options;
  let kept: Map<string, string> | null = null;

  function all(): Map<string, string> {
    kept ??= new Map(store.list().map(({ file, text }) => [file, text]));
    return kept;
  }

  function change(files: readonly string[], apply: (file: string) => void, remember: (file: string) => void): void {
    if (files.length === 0) return;
    try {
      transaction(() => files.forEach(apply));
      files.forEach(remember);
    } catch (error) {
      log('cannot keep the last good configuration', { error });
    }
  }

  return {
    list: () => [...all()].map(([file, text]) => ({ file, text })),
    keep(served: ReadonlyMap<string, Version>): void {
      const textOf = (file: string) => served.get(file)?.text ?? '';
      const fresh = [...served.keys()].filter((file) => all().get(file) !== textOf(file));
      change(
        fresh,
        (file) => store.put(file, textOf(file)),
        (file) => void all().set(file, textOf(file)),
      );
    },
    forget(isGone: (file: string) => boolean): void {
      change(
        [...all().keys()].filter(isGone),
        (file) => store.remove(file),
        (file) => void all().delete(file),
      );
    },
  };
}
