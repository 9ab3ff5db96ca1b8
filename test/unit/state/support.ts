import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '../../../src/state/open-store.ts';
import type { Store } from '../../../src/state/store.ts';

/** A folder that only root can enter, and what was opened in it; both go after each test. */
export function useFolder() {
  const state = { folder: '', stores: [] as Store[] };
  beforeEach(() => {
    state.folder = mkdtempSync(join(tmpdir(), 'pve-cni-state-'));
  });
  afterEach(() => {
    for (const store of state.stores.splice(0)) store.close();
    rmSync(state.folder, { recursive: true, force: true });
  });
  return {
    path: (...names: string[]) => join(state.folder, ...names),
    open(file = join(state.folder, 'state.db')): Store {
      const store = openStore({ file });
      state.stores.push(store);
      return store;
    },
  };
}
