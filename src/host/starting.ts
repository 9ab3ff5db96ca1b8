import { readFile, stat } from 'node:fs/promises';

/** Whether a container's init is still LXC's own process, which waits for its hooks before it becomes the container's
 *  program: what it will be attached to is up to the start that is in progress. LXC's child runs the monitor's binary
 *  until it executes init. */
export async function isStarting(pid: number): Promise<boolean> {
  const parent = await parentOf(pid);
  const [own, parents] = await Promise.all([binaryOf(pid), parent === null ? null : binaryOf(parent)]);
  return own !== null && own === parents;
}

async function parentOf(pid: number): Promise<number | null> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const parent = Number(/^PPid:\t(\d+)$/m.exec(status)?.[1] ?? 0);
  return parent > 1 ? parent : null;
}

/** By device and inode: the path reads differently from inside another root. */
async function binaryOf(pid: number): Promise<string | null> {
  const file = await stat(`/proc/${pid}/exe`).catch(() => null);
  return file && `${file.dev}/${file.ino}`;
}
