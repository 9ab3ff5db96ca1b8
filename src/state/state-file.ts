import {
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  type Stats,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { failure } from '../model/errors.ts';

/** What SQLite keeps beside the file; whoever can write these can write the state. */
export const companions = ['', '-wal', '-shm', '-journal'] as const;

/** Makes folder (0700) and file (0600) where they are missing, and refuses those that others than root can write.
 *  @throws StateError STATE_UNSAFE, STATE_WRITE_FAILED */
export function prepareStateFile(file: string): void {
  const folder = dirname(file);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    refuseUnsafe(folder, statSync(folder), 'isDirectory');
    for (const companion of companions) {
      const stats = lstatSync(file + companion, { throwIfNoEntry: false });
      if (stats) refuseUnsafe(file + companion, stats, 'isFile');
    }
    // SQLite gives -wal and -shm the mode of the file
    closeSync(openSync(file, constants.O_CREAT | constants.O_RDWR | constants.O_NOFOLLOW, 0o600));
  } catch (thrown) {
    if (thrown instanceof Error && 'errno' in thrown)
      throw failure('STATE_WRITE_FAILED', `cannot make ${file}: ${thrown.message}; free space or remount`, { path: file }, thrown);
    throw thrown;
  }
}

function refuseUnsafe(path: string, stats: Stats, kind: 'isFile' | 'isDirectory'): void {
  const fault = !stats[kind]()
    ? 'it is a link or not a regular file'
    : stats.uid !== 0
      ? `it belongs to uid ${stats.uid}, not to root`
      : stats.mode & 0o022
        ? `others can write it (mode ${(stats.mode & 0o7777).toString(8)})`
        : null;
  if (fault)
    throw failure('STATE_UNSAFE', `cannot trust the state in ${path}: ${fault}; see who changed it, then chown root and chmod go-w`, {
      path,
    });
}

/** What the first 100 bytes say, without SQLite touching anything: https://sqlite.org/fileformat.html#the_database_header */
export function readHeader(file: string): { kind: 'empty' | 'foreign' } | { kind: 'sqlite'; userVersion: number } {
  const header = Buffer.alloc(100);
  const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const length = readSync(fd, header, 0, 100, 0);
    if (length === 0) return { kind: 'empty' };
    if (length < 100 || header.toString('latin1', 0, 16) !== 'SQLite format 3\0') return { kind: 'foreign' };
    return { kind: 'sqlite', userVersion: header.readInt32BE(60) };
  } finally {
    closeSync(fd);
  }
}

/** Moves a damaged file with its companions out of the way, where `sqlite3 .recover` still finds them together. */
export function setAside(file: string, time: number): string {
  const aside = `${file}.corrupt-${new Date(time).toISOString().replaceAll(':', '')}`;
  for (const companion of companions) if (existsSync(file + companion)) renameSync(file + companion, aside + companion);
  const folder = openSync(dirname(file), constants.O_RDONLY);
  fsyncSync(folder);
  closeSync(folder);
  return aside;
}
