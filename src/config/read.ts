import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { failure, PveCniError } from '../model/errors.ts';
import { fileLimitBytes, fileTooLarge } from './limits.ts';

/** Text of a regular file and the stamp of what was read; null when there is no such file. Never follows a symlink, never
 *  waits for the other end of a pipe, never takes more than the limit into memory. `file` is named in errors.
 *  @throws ConfigurationError for a file that is refused as it is; the system's error when reading it failed */
export async function readRegularFile(path: string, file: string): Promise<{ text: string; stamp: Stamp } | null> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return null;
    if (code === 'ELOOP') throw notRegular(file, 'a symbolic link');
    if (code === 'ENXIO') throw notRegular(file, 'a socket or device');
    if (code === 'EACCES' || code === 'EPERM')
      throw failure('CONFIG_UNAVAILABLE', `cannot read ${file}: ${code}; let root read it`, { path: file }, error);
    throw error;
  }
  try {
    const stat = await handle.stat({ bigint: true });
    if (!stat.isFile()) throw notRegular(file, stat.isDirectory() ? 'a folder' : 'a pipe or device');
    if (stat.size > fileLimitBytes) throw fileTooLarge(file);
    let buffer = Buffer.alloc(Number(stat.size) + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
      length += bytesRead;
      if (bytesRead === 0) break;
      if (length > fileLimitBytes) throw fileTooLarge(file);
      // on a cluster filesystem the size may be a second old: half a file must not pass for a whole one
      if (length === buffer.length) buffer = Buffer.concat([buffer, Buffer.alloc(buffer.length)]);
    }
    return { text: decode(buffer.subarray(0, length), file), stamp: stampOf(stat) };
  } finally {
    await handle.close();
  }
}

/** What tells one version of a file from the next without reading it. */
export type Stamp = string;

/** A change within this time of the last one may leave the stamp as it was: filesystems of clusters keep whole seconds. */
const settledAfterMs = 3000n;

/** The stamp of a file, empty (equal to no stamp, see `sameStamp`) while the file is so young that it could change unseen. */
export function stampOf(stat: { mtimeNs: bigint; mtimeMs: bigint; size: bigint; ino: bigint; mode: bigint }): Stamp {
  if (BigInt(Date.now()) - stat.mtimeMs < settledAfterMs) return '';
  return `${stat.mtimeNs} ${stat.size} ${stat.ino} ${stat.mode}`;
}

export function sameStamp(one: Stamp, other: Stamp): boolean {
  return one !== '' && one === other;
}

/** A file refused for itself, apart from failures of the filesystem. */
export function isRefusal(error: unknown): error is PveCniError {
  return error instanceof PveCniError;
}

function notRegular(file: string, what: string) {
  return failure('CONFIG_INVALID', `${file} is ${what}; put a regular file in its place`, { path: file });
}

function decode(bytes: Buffer, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw failure('CONFIG_SYNTAX', `${file} is not text in UTF-8; save it as UTF-8`, { path: file }, error);
  }
}
