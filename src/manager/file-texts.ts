import type { Configuration } from '../config/configuration.ts';
import { digestOf } from '../config/digest.ts';

/** A file as it is on disk, '' when there is none; null when the root cannot be read. */
export async function fileText(configuration: Configuration, file: string): Promise<{ text: string | null; digest: string | null }> {
  try {
    const text = (await configuration.readFile(file)) ?? '';
    return { text, digest: digestOf(text) };
  } catch {
    return { text: null, digest: null };
  }
}
