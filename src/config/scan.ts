import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { PveCniError } from '../model/errors.ts';
import { failure } from '../model/errors.ts';
import { containerPath, folders, isSkipped, kindOfFile, settingsFileName, slipInRoot } from './files.ts';
import { isRefusal, readRegularFile, type Stamp, sameStamp, stampOf } from './read.ts';

/** What a scan found at a path below the root. */
export type Found = { stamp: Stamp } & ({ as: 'before' } | { as: 'text'; text: string } | { as: 'refused'; error: PveCniError });

/** Files below a readable root. `covers` says which files the scan would have found had they been there. */
export interface Scan {
  found: Map<string, Found>;
  covers(file: string): boolean;
}

/** how many files are looked at at once: the thread pool of Node has four threads */
const parallel = 16;

/** Looks at all files, or at the networks, the policies and one container. What has the stamp it had before is not read again, except
 *  that one container's file: a stamp may lag behind on other nodes, what is read never does.
 *  @throws the system's error when folders or files cannot be read */
export async function scan(root: string, stampBefore: (file: string) => Stamp, vmid?: number): Promise<Scan> {
  const found = new Map<string, Found>();
  const files = vmid === undefined ? await allFiles(root, found) : [...(await filesForStart(root)), containerPath(vmid)];
  await inParallel(files, async (file) => {
    const one = await look(root, file, vmid !== undefined && file === containerPath(vmid) ? '' : stampBefore(file));
    if (one) found.set(file, one);
  });
  return {
    found,
    covers: vmid === undefined ? () => true : (file) => file === containerPath(vmid) || /^(networks|policies)\//.test(file),
  };
}

/** What a container's start depends on, besides its own file. */
async function filesForStart(root: string): Promise<string[]> {
  return (await Promise.all([filesIn(root, 'networks'), filesIn(root, 'policies')])).flat();
}

async function allFiles(root: string, found: Map<string, Found>): Promise<string[]> {
  for (const name of await readdir(root)) {
    const error = isSkipped(name) ? null : slipInRoot(name);
    if (error) found.set(name, { stamp: '', as: 'refused', error });
  }
  const lists = await Promise.all(folders.map((folder) => filesIn(root, folder)));
  return [settingsFileName, ...lists.flat()];
}

/** Paths below the root; none when the folder is missing. */
async function filesIn(root: string, folder: string): Promise<string[]> {
  try {
    if (!(await lstat(join(root, folder))).isDirectory())
      throw failure('CONFIG_UNAVAILABLE', `cannot read ${join(root, folder)}: it is not a folder; make it one`, { path: folder });
    return (await readdir(join(root, folder))).filter((name) => !isSkipped(name)).map((name) => `${folder}/${name}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

async function look(root: string, file: string, before: Stamp): Promise<Found | null> {
  const path = join(root, file);
  const stat = await lstat(path, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (!stat) return null;
  const stamp = stampOf(stat);
  if (sameStamp(stamp, before)) return { stamp, as: 'before' };
  try {
    kindOfFile(file);
    const read = await readRegularFile(path, file);
    return read && { stamp: read.stamp, as: 'text', text: read.text };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return { stamp, as: 'refused', error };
  }
}

async function inParallel<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(parallel, items.length) }, worker));
}
