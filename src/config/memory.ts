import { PveCniError } from '../model/errors.ts';
import { type Known, parseFile, type Version } from './compose.ts';
import { type Stamp, sameStamp } from './read.ts';
import type { Found, Scan } from './scan.ts';

/** What is known of a file, and how to see that it changed. */
export interface Remembered extends Known {
  stamp: Stamp;
  /** what was read last, good or not; null when it could not be read at all */
  text: string | null;
}

export type Memory = Map<string, Remembered>;

/** What served last, as if it had been read; texts that this version cannot read any more are left out. */
export function fromLastGood(rows: readonly { file: string; text: string }[]): Memory {
  return new Map(
    rows.flatMap(({ file, text }) => {
      const version = tryParse(file, text);
      return version instanceof PveCniError ? [] : [[file, { now: version, good: version, stamp: '', text }]];
    }),
  );
}

/** Takes in what a scan found. Returns the files that are not what they were, sorted. When the root is not
 *  `authoritative` nothing is forgotten because it is missing. */
export function merge(memory: Memory, { found, covers }: Scan, authoritative: boolean): string[] {
  const changed = [...found].flatMap(([file, one]) => (take(memory, file, one) ? [file] : []));
  if (authoritative) {
    for (const file of memory.keys()) {
      if (!covers(file) || found.has(file)) continue;
      memory.delete(file);
      changed.push(file);
    }
  }
  return changed.sort();
}

/** Whether the file is not what it was. */
function take(memory: Memory, file: string, found: Found): boolean {
  const before = memory.get(file);
  if (found.as === 'before') return false;
  const good = before?.good ?? null;
  if (found.as === 'refused') {
    memory.set(file, { now: found.error, good, stamp: found.stamp, text: null });
    return !(before?.now instanceof PveCniError && before.now.message === found.error.message);
  }
  if (before && before.text === found.text) {
    if (!sameStamp(before.stamp, found.stamp)) before.stamp = found.stamp;
    return false;
  }
  memory.set(file, { now: tryParse(file, found.text), good, stamp: found.stamp, text: found.text });
  return true;
}

function tryParse(file: string, text: string): Version | PveCniError {
  try {
    return parseFile(file, text);
  } catch (error) {
    if (error instanceof PveCniError) return error;
    throw error;
  }
}
