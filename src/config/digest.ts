import { createHash } from 'node:crypto';
import { failure, type PveCniError } from '../model/errors.ts';

/** What tells one version of a file from another: SHA-1 of the text in hex, as Proxmox has it; '' is a file that is not there. */
export function digestOf(text: string): string {
  return createHash('sha1').update(text).digest('hex');
}

export function changedMeanwhile(file: string, digest: string): PveCniError {
  const message = `cannot write ${file}: it has been changed by somebody else since it was read; read it again`;
  return failure('CONFLICT', message, { path: file, field: 'digest', digest });
}
