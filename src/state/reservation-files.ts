import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readdir, rename, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';

/** What the file of a reserved address holds. */
export interface Claim {
  vmid: number;
  ifname: string;
  node: string;
  /** id of the one attempt that wrote this: tells a claim whose outcome is unknown from a stranger's */
  attempt: string;
  /** epoch ms */
  since: number;
  /** set when the container is destroyed: epoch ms from when on the address is free */
  releaseAt: number | null;
}

/** `unfinished`: empty or damaged, a claim in progress or one that broke off; it counts as taken. */
export type Held = { kind: 'claim'; claim: Claim } | { kind: 'unfinished'; writtenAt: number } | { kind: 'absent' };

export type ReservationFiles = ReturnType<typeof reservationFiles>;

/** One small file per reserved address, ROOT/addresses/NETWORK/ADDRESS, where all nodes see it. What a file system like
 *  Proxmox's guarantees and what not: O_CREAT|O_EXCL has one winner in the whole cluster; links, locks and chmod do not
 *  work; stat() may be a second old; any error but EEXIST leaves open whether the change was made; a file that is being
 *  created is seen empty by others. Dot files are ours or FUSE's and no reservations. */
export function reservationFiles(root: string) {
  const top = join(root, 'addresses');
  const folder = (network: string) => join(top, network);
  const path = (network: string, address: string) => join(top, network, address);

  async function read(network: string, address: string): Promise<Held> {
    let file: FileHandle;
    try {
      file = await open(path(network, address), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return { kind: 'absent' };
      throw error;
    }
    try {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(sizeLimit), 0, sizeLimit, 0);
      const claim = parseClaim(buffer.toString('utf8', 0, bytesRead));
      return claim ? { kind: 'claim', claim } : { kind: 'unfinished', writtenAt: (await file.stat()).mtimeMs };
    } finally {
      await file.close();
    }
  }

  async function holdsAttempt(network: string, address: string, attempt: string): Promise<boolean> {
    const held = await read(network, address);
    return held.kind === 'claim' && held.claim.attempt === attempt;
  }

  /** Whether the address is ours now; false when it is somebody's already. Durable when it returns. */
  async function create(network: string, address: string, claim: Omit<Claim, 'attempt'>): Promise<boolean> {
    const attempt = randomUUID();
    const text = `${JSON.stringify({ ...claim, attempt })}\n`;
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    try {
      await makeFolder(network);
      await writeNew(path(network, address), flags, text);
    } catch (error) {
      if (hasCode(error, 'EEXIST')) return false;
      if (!(await holdsAttempt(network, address, attempt))) throw error;
    }
    await syncFolder(folder(network));
    // a claim that took very long may have been taken for a broken one, and reaped
    return holdsAttempt(network, address, attempt);
  }

  /** Replaces the content of a reservation that is the caller's own. */
  async function rewrite(network: string, address: string, claim: Omit<Claim, 'attempt'>): Promise<void> {
    const attempt = randomUUID();
    const temporary = path(network, temporaryPrefix + attempt);
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    try {
      await writeNew(temporary, flags, `${JSON.stringify({ ...claim, attempt })}\n`);
      await rename(temporary, path(network, address));
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {});
      if (!(await holdsAttempt(network, address, attempt))) throw error;
    }
    await syncFolder(folder(network));
  }

  async function remove(network: string, address: string): Promise<void> {
    await rm(path(network, address), { force: true });
    await syncFolder(folder(network));
  }

  /** Removes an unfinished file. Of several that try at once one wins, since a name can be moved away only once; should
   *  the file have been finished in the meantime, it is put back. */
  async function reap(network: string, address: string): Promise<boolean> {
    const aside = temporaryPrefix + randomUUID();
    try {
      await rename(path(network, address), path(network, aside));
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return false;
      throw error;
    }
    const held = await read(network, aside);
    if (held.kind === 'claim') await create(network, address, held.claim);
    await rm(path(network, aside), { force: true });
    return held.kind !== 'claim';
  }

  /** Removes what broken-off changes left beside the reservations before a time (epoch ms). */
  async function tidy(network: string, before: number): Promise<void> {
    for (const name of await readdir(folder(network)).catch(() => [])) {
      if (!name.startsWith(temporaryPrefix)) continue;
      const stats = await lstat(path(network, name)).catch(() => null);
      if (stats && stats.mtimeMs < before) await rm(path(network, name), { force: true });
    }
  }

  async function makeFolder(network: string): Promise<void> {
    // never the root itself: where it is missing, it is not mounted
    for (const [above, made] of [
      [root, top],
      [top, folder(network)],
    ] as const) {
      try {
        await mkdir(made);
        await syncFolder(above);
      } catch (error) {
        if (!hasCode(error, 'EEXIST')) throw error;
      }
    }
  }

  return {
    read,
    create,
    rewrite,
    remove,
    reap,
    tidy,
    networks: () => names(top),
    addresses: (network: string) => names(folder(network)),
  };
}

const sizeLimit = 4096;
const temporaryPrefix = '.pve-cni-';

/** Names in a folder but dot files; none when it does not exist. */
async function names(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => !name.startsWith('.'));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

/** Writes a file that did not exist; removes it again when the writing fails. */
async function writeNew(path: string, flags: number, text: string): Promise<void> {
  const file = await open(path, flags, 0o640);
  try {
    await file.writeFile(text);
    await file.sync();
  } catch (error) {
    await rm(path, { force: true }).catch(() => {});
    throw error;
  } finally {
    await file.close();
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function parseClaim(text: string): Claim | null {
  try {
    const { vmid, ifname, node, attempt, since, releaseAt = null } = JSON.parse(text) as Record<string, unknown>;
    const isClaim =
      Number.isInteger(vmid) &&
      [ifname, node, attempt].every((field) => typeof field === 'string') &&
      typeof since === 'number' &&
      (releaseAt === null || typeof releaseAt === 'number');
    return isClaim ? ({ vmid, ifname, node, attempt, since, releaseAt } as Claim) : null;
  } catch {
    return null;
  }
}

/** Proxmox's cluster file system is a FUSE one: FUSE_SUPER_MAGIC of statfs(2). */
export async function isClusterFileSystem(folder: string): Promise<boolean> {
  return (await statfs(folder)).type === 0x65735546;
}

export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
