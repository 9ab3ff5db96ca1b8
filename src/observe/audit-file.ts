import { appendFileSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Operation } from '../model/operation.ts';
import { redact } from './redact.ts';

interface Options {
  file: string;
  /** told once when lines begin to be lost */
  onFailure: (reason: string) => void;
}

/** The audit log as a file, besides the store: one line of JSON for each ended operation, for those who collect logs. The file is opened
 *  for each line, so whoever rotates it need not tell us. The store is the truth: a line that cannot be written stops nothing. */
export function createAuditFile({ file, onFailure }: Options): (operation: Operation) => void {
  let failing = false;
  return ({ spans: _spans, begin, end, ...facts }) => {
    const line = JSON.stringify(redact({ begin: isoTime(begin), end: end === null ? null : isoTime(end), ...facts }));
    try {
      mkdirSync(dirname(file), { recursive: true, mode: 0o750 });
      appendFileSync(file, `${line}\n`, { mode: 0o640 });
      failing = false;
    } catch (error) {
      if (!failing) onFailure(error instanceof Error ? error.message : String(error));
      failing = true;
    }
  };
}

function isoTime(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
