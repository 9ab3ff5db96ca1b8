import { mkdir, rmdir, utimes } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { failure } from '../model/errors.ts';

/** @throws ProxmoxError CLUSTER_LOCKED when another node does not let go in time, PROXMOX_UNAVAILABLE when no lock can be taken now */
export type ClusterLock = <T>(work: () => Promise<T>) => Promise<T>;

export interface ClusterLockOptions {
  /** `priv/lock` of the cluster filesystem */
  folder: string;
  isProxmox: () => Promise<boolean>;
  /** how long another's is waited for */
  waitMs?: number;
  pollMs?: number;
}

const name = 'domain-pve-cni';
/** Proxmox's own rule: whoever works longer has lost the lock (PVE/Cluster.pm, `$cfs_lock`); it expires at 120 s */
const holdMs = 60_000;

/** A lock as Proxmox takes its own: a folder below priv/lock, which one of all nodes makes. Who finds it asks by utime(0,0) for its removal,
 *  which the filesystem grants when it is 120 s old. It is advisory: a holder that hangs loses it without being told, so what is done
 *  under it must be right without it, too. One at a time within this process, since the lock knows nodes only. */
export function createClusterLock({ folder, isProxmox, waitMs = 20_000, pollMs = 500 }: ClusterLockOptions): ClusterLock {
  const path = `${folder}/${name}`;
  let turn: Promise<unknown> = Promise.resolve();

  async function take(): Promise<void> {
    const end = performance.now() + waitMs;
    for (;;) {
      try {
        return await mkdir(path);
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        if (code !== 'EEXIST')
          throw failure('PROXMOX_UNAVAILABLE', `cannot lock ${path}: ${message}; restore quorum or the mount`, { path }, error);
      }
      if (performance.now() >= end)
        throw failure('CLUSTER_LOCKED', `cannot lock ${path} within ${waitMs / 1000} s: another node holds it; try again`, { path });
      // its answer says nothing: what counts is whether the folder can be made
      await utimes(path, 0, 0).catch(() => {});
      await pause(pollMs);
    }
  }

  async function held<T>(work: () => Promise<T>): Promise<T> {
    await take();
    const begin = performance.now();
    try {
      return await work();
    } finally {
      // a lock that was held too long is another's by now
      if (performance.now() - begin < holdMs) await rmdir(path).catch(() => {});
    }
  }

  return async (work) => {
    if (!(await isProxmox())) return work();
    const mine = turn.then(() => held(work));
    turn = mine.catch(() => {});
    return mine;
  };
}
