import { closeSync, constants, mkdirSync, openSync, rmSync, type Stats, statSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { failure } from '../model/errors.ts';
import { type Init, isAlive } from './processes.ts';
import type { Run } from './run.ts';

/** Pinned network namespaces: bind mounts of /proc/PID/ns/net, as `ip netns` makes them. The service must run in the
 *  host's mount namespace, or nobody else sees the pins. */
export interface Netns {
  /** Pins the namespace of a living process at `path`. What was mounted there before is let go.
   *  @throws InterfaceError NETNS_GONE when the process died or its number was taken over meanwhile, NETNS_PIN_FAILED */
  pin(init: Init, path: string): Promise<void>;
  /** Moves a pin: the same namespace, another name. */
  move(from: string, to: string): Promise<void>;
  /** Lets go of a pin; nothing when there is none. */
  unpin(path: string): Promise<void>;
  /** Inode of the pinned namespace in the form of /proc/PID/ns/net, null when nothing is pinned there. */
  inode(path: string): Promise<string | null>;
  /** Where this process pinned a namespace that still is there; null when nowhere. */
  pinnedAt(inode: string): Promise<string | null>;
  /** Names below a folder at which a namespace is pinned. */
  list(folder: string): Promise<string[]>;
  /** Number by which links of this process's namespace name that of another; null: they name it nowhere. */
  idOf(pid: number): Promise<number | null>;
  /** Makes the folder a shared mount of its own, as `ip netns` does: done later it would hide pins made before. */
  prepareFolder(folder: string): Promise<void>;
}

/** What waits for no disk (pins lie in tmpfs) is synchronous: each hop to the thread pool costs more than the call. */
export function createNetns(run: Run): Netns {
  const pins = new Map<string, string>();
  const remember = (path: string) => {
    const inode = nsfsInode(path);
    if (inode !== null) pins.set(inode, path);
  };
  const bind = async (from: string, to: string) => {
    await unpin(to);
    mkdirSync(dirname(to), { recursive: true });
    // O_EXCL|O_NOFOLLOW: never mount onto a path that somebody else prepared
    closeSync(openSync(to, constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o444));
    await run(['mount', '--bind', from, to]);
  };
  const unpin = async (path: string) => {
    while (nsfsInode(path) !== null) await run(['umount', '--lazy', path]);
    rmSync(path, { force: true });
  };
  return {
    async pin(init, path) {
      try {
        await bind(`/proc/${init.pid}/ns/net`, path);
      } catch (error) {
        await unpin(path).catch(() => {});
        if (!(await isAlive(init))) throw gone(init);
        throw failure('NETNS_PIN_FAILED', `cannot pin the network namespace of process ${init.pid} at ${path}`, { path }, error);
      }
      if (await isAlive(init)) return remember(path);
      await unpin(path);
      throw gone(init);
    },
    async move(from, to) {
      await bind(from, to);
      await unpin(from);
      remember(to);
    },
    unpin,
    inode: async (path) => nsfsInode(path),
    async pinnedAt(inode) {
      const path = pins.get(inode);
      if (path === undefined) return null;
      if (nsfsInode(path) === inode) return path;
      pins.delete(inode);
      return null;
    },
    async list(folder) {
      const names = await readdir(folder).catch(() => []);
      return names.filter((name) => nsfsInode(`${folder}/${name}`) !== null);
    },
    async idOf(pid) {
      const text = await run(['lsns', '--noheadings', '--raw', '--type', 'net', '--task', String(pid), '--output', 'NETNSID']);
      return /^\d+$/.test(text.trim()) ? Number(text) : null;
    },
    async prepareFolder(folder) {
      await mkdir(folder, { recursive: true, mode: 0o755 });
      for (const name of await readdir(folder)) remember(`${folder}/${name}`);
      const mounts = await readFile('/proc/self/mountinfo', 'utf8');
      if (mounts.split('\n').some((line) => line.split(' ')[4] === folder)) return;
      await run(['mount', '--bind', folder, folder]);
      await run(['mount', '--make-shared', folder]);
    },
  };
}

/** `net:[4026532181]` when a network namespace is mounted at the path. */
function nsfsInode(path: string): string | null {
  const [file, parent] = [path, dirname(path)].map(statOf);
  // a pin lies on nsfs, hence on another device than its folder; an empty file that lost its mount does not
  return file && parent && file.dev !== parent.dev ? `net:[${file.ino}]` : null;
}

function statOf(path: string): Stats | null {
  try {
    return statSync(path, { throwIfNoEntry: false }) ?? null;
  } catch {
    return null;
  }
}

function gone(init: Init) {
  return failure(
    'NETNS_GONE',
    `process ${init.pid} (started at tick ${init.startTime}) ended before its network namespace could be pinned`,
    { pid: init.pid },
  );
}
