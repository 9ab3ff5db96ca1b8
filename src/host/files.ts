import { constants } from 'node:fs';
import { access, lstat, mkdir, open, readdir, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { failure } from '../model/errors.ts';

const chunkBytes = 16 * 1024;

// two writers of one file at once must not share their temporary file
let counter = 0;

/** Writes a small file so that after a power cut it holds the old text or the new one, never nothing. */
export async function writeDurably(path: string, text: string, mode = 0o600): Promise<void> {
  counter += 1;
  const temporary = `${dirname(path)}/.${process.pid}-${counter}.tmp`;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = await open(temporary, 'w', mode);
  try {
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    // a full disk is not filled further by every attempt
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
}

export async function readText(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch(() => null);
}

/** The same of a regular file of at most so many bytes; null for anything else, without waiting for the other end of a pipe. */
export async function readTextUpTo(path: string, maxBytes: number): Promise<string | null> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(() => null);
  if (!file) return null;
  try {
    if (!(await file.stat()).isFile()) return null;
    const chunks: Buffer[] = [];
    let length = 0;
    for (;;) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes, null);
      if (bytesRead === 0) return Buffer.concat(chunks).toString('utf8');
      chunks.push(buffer.subarray(0, bytesRead));
      length += bytesRead;
      if (length > maxBytes) return null;
    }
  } catch {
    return null;
  } finally {
    await file.close();
  }
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Whether it is a regular file, or a link to one, that may be run. */
export async function isExecutable(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  return found?.isFile() === true && (found.mode & 0o111) !== 0;
}

/** Path of a tool in the first of these folders that has it; its name alone, for PATH, when none has.
 *  @throws CNIError CNI_PLUGIN_UNSAFE when others than root could have put it there */
export async function findTool(name: string, folders: readonly string[]): Promise<string> {
  for (const folder of folders) {
    const path = `${folder}/${name}`;
    if (!(await exists(path))) continue;
    const unsafe = await othersMayChange(path);
    if (unsafe === null) return path;
    throw failure('CNI_PLUGIN_UNSAFE', `refused to run ${path}: ${unsafe} can be changed by others than root`, { path: unsafe });
  }
  return name;
}

/** What of a path, its folders and what links lead to, others than root could have changed; null: nothing. */
export async function othersMayChange(path: string): Promise<string | null> {
  for (let above = await realpath(path); ; above = dirname(above)) {
    const { uid, mode } = await lstat(above);
    // in a sticky folder others can only add
    if (uid !== 0 || (mode & 0o022 && !(mode & 0o1000))) return above;
    if (above === '/') return null;
  }
}

export async function listFolder(path: string): Promise<string[]> {
  return readdir(path).catch(() => []);
}

export async function remove(path: string): Promise<void> {
  await rm(path, { force: true });
}
