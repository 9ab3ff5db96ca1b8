import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Puts a text in the place of a file so that after a power cut the old text or the new one is there. Makes the file's
 *  folder, never the root. Modes are given at creation only: the cluster filesystem refuses every chmod. */
export async function replaceFile(root: string, file: string, text: string): Promise<void> {
  const path = join(root, file);
  await makeFolder(dirname(path));
  const name = path.slice(path.lastIndexOf('/') + 1);
  const temporary = join(dirname(path), `.${name}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    const handle = await open(temporary, 'wx', 0o640);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Moves a file into archive/ under another name; nothing happens when it is not there. */
export async function archiveFile(root: string, file: string, name: string): Promise<void> {
  await makeFolder(join(root, 'archive'));
  try {
    await rename(join(root, file), join(root, 'archive', name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  await Promise.all([syncFolder(join(root, 'archive')), syncFolder(dirname(join(root, file)))]);
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { mode: 0o755 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
}

async function syncFolder(path: string): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'r');
    await handle.sync();
  } finally {
    await handle?.close();
  }
}
