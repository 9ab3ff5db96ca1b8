import { constants } from 'node:fs';
import { access, lstat } from 'node:fs/promises';
import { join } from 'node:path';

/** Where Proxmox mounts its cluster filesystem. */
export const proxmoxMount = '/etc/pve';

/** Whether the root's files can be looked at, and whether what is missing there is really gone. */
export interface RootState {
  readable: boolean;
  /** false: nothing counts as removed because it is missing */
  authoritative: boolean;
  writable: boolean;
  /** why it is not readable */
  reason?: string;
}

/** State of a root. Below the cluster filesystem `local` is a symlink while it is mounted (an unmounted /etc/pve is a
 *  plain folder that root can write), and owner-writable while the node is in quorum: Proxmox's own tests.
 *  @throws whatever lstat throws other than ENOENT */
export async function stateOfRoot(root: string, mount = proxmoxMount): Promise<RootState> {
  const clustered = root === mount || root.startsWith(`${mount}/`);
  const local = clustered ? await statOf(join(mount, 'local')) : null;
  if (clustered && !local?.isSymbolicLink()) return unreadable(`${mount} is not mounted`);
  if (!(await statOf(root))?.isDirectory()) return unreadable(`there is no folder ${root}`);
  if (!local) return { readable: true, authoritative: true, writable: await isWritable(root) };
  const quorate = (local.mode & 0o200) !== 0;
  return { readable: true, authoritative: quorate, writable: quorate };
}

export function unreadable(reason: string): RootState {
  return { readable: false, authoritative: false, writable: false, reason };
}

/** Null when there is nothing of that name. */
async function statOf(path: string) {
  return lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw error;
  });
}

function isWritable(path: string): Promise<boolean> {
  return access(path, constants.W_OK).then(
    () => true,
    () => false,
  );
}
