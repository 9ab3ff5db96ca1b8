import { access, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

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

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

export async function listFolder(path: string): Promise<string[]> {
  return readdir(path).catch(() => []);
}

export async function remove(path: string): Promise<void> {
  await rm(path, { force: true });
}
