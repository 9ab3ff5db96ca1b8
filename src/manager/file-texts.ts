import { createHash } from 'node:crypto';
import type { Configuration } from '../config/configuration.ts';

/** What tells one version of a file from another: SHA-1 of the text in hex, as Proxmox has it; '' is a file that is not there. */
function digestOf(text: string): string {
  return createHash('sha1').update(text).digest('hex');
}

/** A file as it is on disk, '' when there is none; null when the root cannot be read. */
export async function fileText(configuration: Configuration, file: string): Promise<{ text: string | null; digest: string | null }> {
  try {
    const text = (await configuration.readFile(file)) ?? '';
    return { text, digest: digestOf(text) };
  } catch {
    return { text: null, digest: null };
  }
}
