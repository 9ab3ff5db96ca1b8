import { asPveCniError, type ErrorRecord, errorRecord } from '../model/errors.ts';
import type { ProxmoxApi, RemoteContainer } from './api.ts';

/** What Proxmox's API said last. Only shown: nothing is attached, released or removed on its ground, so that its silence costs nothing. */
export interface RemoteStates {
  /** Asks when something that it depends on has changed, and now and then, since the state of containers has no version. Never throws. */
  look(): Promise<void>;
  of(vmid: number): RemoteContainer | null;
  readonly containers: readonly RemoteContainer[];
  /** `untold`: nobody was asked yet; `unset`: there is no token */
  readonly state: 'untold' | 'unset' | 'well' | 'failed';
  readonly error: ErrorRecord | null;
  /** epoch ms of the last good answer */
  readonly answeredAt: number | null;
}

export interface RemoteStatesOptions {
  api: ProxmoxApi;
  isProxmox: () => Promise<boolean>;
  /** another text whenever the list of containers or of pools may have changed */
  version: () => Promise<string>;
  /** between two questions when nothing has changed */
  everyMs: number;
  clock: () => number;
  log: (message: string, facts: object) => void;
}

export function createRemoteStates({ api, isProxmox, version, everyMs, clock, log }: RemoteStatesOptions): RemoteStates {
  let known = new Map<number, RemoteContainer>();
  let askedAt = Number.NEGATIVE_INFINITY;
  let askedFor = '';
  let state: RemoteStates['state'] = 'untold';
  let error: ErrorRecord | null = null;
  let answeredAt: number | null = null;

  async function ask(): Promise<void> {
    try {
      const found = await api.containers();
      if (error && found) log('Proxmox’s API answers again', {});
      state = found ? 'well' : 'unset';
      error = null;
      if (!found) return;
      known = new Map(found.map((one) => [one.vmid, one]));
      answeredAt = clock();
    } catch (thrown) {
      const now = errorRecord(asPveCniError(thrown));
      if (error?.message !== now.message) log('Proxmox’s API cannot be asked; the files go on saying what they say', { error: now });
      state = 'failed';
      error = now;
    }
  }

  return {
    async look() {
      if (!(await isProxmox())) return;
      const now = await version();
      if (now === askedFor && clock() - askedAt < everyMs) return;
      askedFor = now;
      askedAt = clock();
      await ask();
    },
    of: (vmid) => known.get(vmid) ?? null,
    get containers() {
      return [...known.values()];
    },
    get state() {
      return state;
    },
    get error() {
      return error;
    },
    get answeredAt() {
      return answeredAt;
    },
  };
}
