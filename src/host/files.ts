import { constants } from 'node:fs';
import { access, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

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
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
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

/** Path of a tool in the first of these folders that has it; its name alone, for PATH, when none has. */
export async function findTool(name: string, folders: readonly string[]): Promise<string> {
  for (const folder of folders) if (await exists(`${folder}/${name}`)) return `${folder}/${name}`;
  return name;
}

export async function listFolder(path: string): Promise<string[]> {
  return readdir(path).catch(() => []);
}

export async function remove(path: string): Promise<void> {
  await rm(path, { force: true });
}
