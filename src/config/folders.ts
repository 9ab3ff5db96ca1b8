import { lstat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { failure } from '../model/errors.ts';
import { folders } from './files.ts';

/** Makes the root and its folders, as far as they are missing, and says which. Below the cluster filesystem only while it is mounted: an
 *  unmounted one is a plain folder that root can write, and what is made there is hidden later.
 *  @throws ConfigurationError CONFIG_UNAVAILABLE */
export async function makeFolders(root: string, mount: string, { dryRun }: { dryRun: boolean }): Promise<string[]> {
  const clustered = root === mount || root.startsWith(`${mount}/`);
  if (clustered && !(await lstat(join(mount, 'local')).catch(() => null))?.isSymbolicLink())
    throw failure('CONFIG_UNAVAILABLE', `cannot make ${root}: ${mount} is not mounted; start pve-cluster`, { path: root });
  const made: string[] = [];
  for (const path of [root, ...folders.map((folder) => join(root, folder))]) {
    if ((await lstat(path).catch(() => null))?.isDirectory()) continue;
    made.push(path);
    if (dryRun) continue;
    await mkdir(path, { mode: 0o755 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST')
        throw failure(
          'CONFIG_UNAVAILABLE',
          `cannot make ${path}: ${error.message}; restore quorum, or let root write there`,
          { path },
          error,
        );
    });
  }
  return made;
}
