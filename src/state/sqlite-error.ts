import Database from 'better-sqlite3';
import type { ErrorCode } from '../model/error-codes.ts';
import { asPveCniError, failure, type PveCniError } from '../model/errors.ts';

/** SQLite's result codes by their beginning (https://sqlite.org/rescode.html), what they mean to us and what to do. */
const meanings: readonly { begins: string; code: ErrorCode; advice: string }[] = [
  { begins: 'SQLITE_FULL', code: 'STATE_WRITE_FAILED', advice: 'the disk is full; free space' },
  { begins: 'SQLITE_READONLY', code: 'STATE_WRITE_FAILED', advice: 'the file or its file system is read-only; remount it' },
  { begins: 'SQLITE_IOERR', code: 'STATE_WRITE_FAILED', advice: 'the disk refused; see the kernel log, free space or remount' },
  { begins: 'SQLITE_CANTOPEN', code: 'STATE_WRITE_FAILED', advice: 'see whether files can be opened there (too many open files?)' },
  { begins: 'SQLITE_NOMEM', code: 'STATE_WRITE_FAILED', advice: 'memory ran out' },
  { begins: 'SQLITE_TOOBIG', code: 'STATE_WRITE_FAILED', advice: 'the record is too large' },
  { begins: 'SQLITE_BUSY', code: 'STATE_WRITE_FAILED', advice: 'another process holds the file; see `fuser`, and end that process' },
  { begins: 'SQLITE_LOCKED', code: 'STATE_WRITE_FAILED', advice: 'another process holds the file; see `fuser`, and end that process' },
  { begins: 'SQLITE_CORRUPT', code: 'STATE_CORRUPT', advice: 'restart the service: it sets the file aside and rebuilds' },
  { begins: 'SQLITE_NOTADB', code: 'STATE_CORRUPT', advice: 'restart the service: it sets the file aside and rebuilds' },
];

/** Whatever SQLite threw as one of our errors; `what` is what was tried, such as `attachments.put`. */
export function stateError(what: string, file: string, thrown: unknown): PveCniError {
  if (!(thrown instanceof Database.SqliteError)) return asPveCniError(thrown);
  const meaning = meanings.find(({ begins }) => thrown.code.startsWith(begins));
  return failure(
    meaning?.code ?? 'INTERNAL',
    `cannot do ${what} in ${file}: ${thrown.message} (${thrown.code})${meaning ? `; ${meaning.advice}` : ''}`,
    { path: file, sqlite: thrown.code },
    thrown,
  );
}

/** The same functions, with SQLite's errors turned into ours. */
export function guarded<T extends object>(name: string, file: string, table: T): T {
  const entries = Object.entries(table as Record<string, (...parameters: unknown[]) => unknown>);
  return Object.fromEntries(
    entries.map(([verb, work]) => [
      verb,
      (...parameters: unknown[]) => {
        try {
          return work(...parameters);
        } catch (thrown) {
          throw stateError(`${name}.${verb}`, file, thrown);
        }
      },
    ]),
  ) as T;
}
