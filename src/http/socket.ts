import { lstat, mkdir, unlink } from 'node:fs/promises';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { failure } from '../model/errors.ts';

/** Listens on a socket that only the service's own user can open: mode 0600 in a folder of mode 0700.
 *  @throws StateError SERVICE_RUNNING when another process answers there, STATE_UNSAFE when others can reach the folder */
export async function listenOnPath(server: Server, path: string): Promise<void> {
  await privateFolder(dirname(path));
  await removeStale(path);
  // bind() happens inside listen(), so the socket is never open to others, not even for a moment
  const before = process.umask(0o177);
  const begun = listening(server, () => server.listen({ path }));
  process.umask(before);
  await begun;
}

async function privateFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const found = await lstat(folder);
  const mode = found.mode & 0o777;
  if (!found.isDirectory() || found.uid !== process.getuid?.() || (mode & 0o077) !== 0)
    throw failure(
      'STATE_UNSAFE',
      `cannot listen in ${folder}: it must be a folder of mode 0700 that belongs to the service’s user, and is of mode 0${mode.toString(8)} and user ${found.uid}; chown and chmod it`,
      { path: folder },
    );
}

async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => null);
  if (!found) return;
  if (!found.isSocket())
    throw failure('STATE_UNSAFE', `cannot listen on ${path}: something that is not a socket is there; remove it`, { path });
  if (await answers(path))
    throw failure('SERVICE_RUNNING', `cannot listen on ${path}: another service answers there; stop it first`, { path });
  await unlink(path);
}

/** A socket whose process died refuses connections. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}

/** Resolves when the server listens, rejects when it cannot. */
export function listening(server: Server, begin: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
    begin();
  });
}
