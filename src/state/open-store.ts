import { existsSync, statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { migrate, refuseNewer } from './migrations.ts';
import { guarded, stateError } from './sqlite-error.ts';
import { prepareStateFile, readHeader, setAside } from './state-file.ts';
import type { Store } from './store.ts';
import { addressesTable } from './tables/addresses.ts';
import { attachmentsTable } from './tables/attachments.ts';
import { configurationTable, seenTable } from './tables/configuration.ts';
import { debtsTable } from './tables/debts.ts';
import { livesTable } from './tables/lives.ts';
import { operationsTable } from './tables/operations.ts';

/** Opens the node's state, making file and folder when they are missing. A damaged file is set aside and a fresh one
 *  begun; `rebuilt` says so. A file that is not there, or has nothing in it, is begun, too: `fresh`.
 *  @throws StateError STATE_UNSAFE, STATE_NEWER (the file is left byte for byte as it was), STATE_WRITE_FAILED (also
 *  when another process holds the file) */
export function openStore({ file, clock = Date.now }: { file: string; clock?: () => number }): Store {
  prepareStateFile(file);
  const empty = readHeader(file).kind === 'empty';
  let rebuilt: Store['rebuilt'] = null;
  let db: Database.Database;
  try {
    db = openSound(file);
  } catch (thrown) {
    const error = stateError('open', file, thrown);
    if (error.code !== 'STATE_CORRUPT') throw error;
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    rebuilt = { reason, setAside: setAside(file, clock()) };
    prepareStateFile(file);
    db = openSound(file);
  }
  return tables(db, file, { rebuilt, fresh: empty || rebuilt !== null });
}

/** The database, known to be whole and of today's shape.
 *  @throws whatever SQLite throws; SQLITE_CORRUPT or SQLITE_NOTADB when the file is damaged */
function openSound(file: string): Database.Database {
  const header = readHeader(file);
  if (header.kind === 'foreign') throw new Database.SqliteError('file is not a database', 'SQLITE_NOTADB');
  if (header.kind === 'sqlite') refuseNewer(versionWithoutTouching(file, header.userVersion), file);

  const db = new Database(file, { timeout: busyTimeoutMs });
  try {
    // FULL: a commit of the write-ahead log is on the disk when the call returns (https://sqlite.org/pragma.html#pragma_synchronous)
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    db.pragma('foreign_keys = ON');
    const verdict = db.pragma('quick_check(1)', { simple: true });
    if (verdict !== 'ok') throw new Database.SqliteError(String(verdict), 'SQLITE_CORRUPT');
    migrate(db, file);
    return db;
  } catch (thrown) {
    db.close();
    throw thrown;
  }
}

/** Short, since SQLite waits with the whole process: another holder is a mistake, not a normal neighbour. */
const busyTimeoutMs = 2000;

/** A newer version may still sit in the write-ahead log only; a read-only connection writes neither file. */
export function versionWithoutTouching(file: string, inHeader: number): number {
  if (!existsSync(`${file}-wal`) || statSync(`${file}-wal`).size === 0) return inHeader;
  const db = new Database(file, { readonly: true, timeout: busyTimeoutMs });
  try {
    return Math.max(inHeader, db.pragma('user_version', { simple: true }) as number);
  } finally {
    db.close();
  }
}

function tables(db: Database.Database, file: string, opening: Pick<Store, 'rebuilt' | 'fresh'>): Store {
  const run = db.transaction((work: () => unknown) => work());
  return {
    lives: guarded('lives', file, livesTable(db)),
    attachments: guarded('attachments', file, attachmentsTable(db)),
    debts: guarded('debts', file, debtsTable(db)),
    addresses: guarded('addresses', file, addressesTable(db)),
    operations: guarded('operations', file, operationsTable(db)),
    configuration: guarded('configuration', file, configurationTable(db)),
    seen: guarded('seen', file, seenTable(db)),
    transaction<T>(work: () => T): T {
      try {
        return run.immediate(work) as T;
      } catch (thrown) {
        // what the work itself threw passes through as it is
        throw thrown instanceof Database.SqliteError ? stateError('transaction', file, thrown) : thrown;
      }
    },
    relaxed(work) {
      // in WAL mode NORMAL writes the commit and leaves the fsync to the next one (https://sqlite.org/pragma.html#pragma_synchronous)
      db.pragma('synchronous = NORMAL');
      try {
        work();
      } finally {
        db.pragma('synchronous = FULL');
      }
    },
    ...opening,
    close: () => void db.close(),
  };
}
