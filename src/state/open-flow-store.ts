import { existsSync, rmSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { setImmediate as breath } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { matches } from '../core/flows.ts';
import { asPveCniError, failure } from '../model/errors.ts';
import type { KeptFlow } from '../model/flow.ts';
import type { FlowStore } from './flow-store.ts';
import { stateError } from './sqlite-error.ts';
import { companions, prepareStateFile } from './state-file.ts';
import { flowsSchema, flowsTable, flowsVersion } from './tables/flows.ts';

export interface FlowStoreOptions {
  file: string;
  /** the file could not be read, and is begun anew */
  onDamaged: (reason: string) => void;
  /** flows are not written while less of the disk is free */
  reserveBytes?: number;
}

interface Opened {
  db: Database.Database;
  table: ReturnType<typeof flowsTable>;
}

/** rows looked at, or removed, without letting others work: about 10 ms */
const sliceRows = 2000;

/** what flows leave of the disk to the journal, which has to go on */
const leftBytes = 64 * 1024 * 1024;

/** The file is made when the first flow comes: never on a node without flows.
 *  @throws StateError STATE_UNSAFE, STATE_WRITE_FAILED, from each use */
export function createFlowStore({ file, onDamaged, reserveBytes = leftBytes }: FlowStoreOptions): FlowStore {
  let opened: Opened | null = null;

  /** Runs `work` on the open file; on a new one when it turns out damaged. */
  const use = <T>(what: string, work: (opened: Opened) => T): T => {
    const attempt = () => {
      try {
        opened ??= open(file);
        return work(opened);
      } catch (thrown) {
        throw stateError(`flows.${what}`, file, thrown);
      }
    };
    try {
      return attempt();
    } catch (thrown) {
      const error = asPveCniError(thrown);
      if (error.code !== 'STATE_CORRUPT') throw error;
      opened?.db.close();
      opened = null;
      for (const companion of companions) rmSync(file + companion, { force: true });
      onDamaged(error.message);
      return attempt();
    }
  };

  /** The same for questions: a file that is not there has nothing to say. */
  const ask = <T>(what: string, work: (opened: Opened) => T, otherwise: T): T => (opened || existsSync(file) ? use(what, work) : otherwise);

  return {
    add: (flows, losses) =>
      use('add', ({ db, table }) => {
        leaveRoom(file, reserveBytes);
        db.transaction(() => {
          for (const flow of flows) table.add(flow);
          for (const loss of losses) table.addLoss(loss);
        })();
      }),
    async page(filter, { before = Number.MAX_SAFE_INTEGER, limit, signal }) {
      const flows: KeptFlow[] = [];
      let at = before;
      // most questions are answered by the newest few
      let size = Math.min(sliceRows, limit + 50);
      while (!signal?.aborted) {
        const rows = ask('page', ({ table }) => table.slice(at, size), []);
        size = sliceRows;
        for (const row of rows) {
          at = row.id;
          if (matches(filter, row)) flows.push(row);
          if (flows.length === limit) return { flows, next: at };
        }
        // arrival follows time but for clocks that jump, so what is older than the question ends it
        if (rows.length === 0 || rows.every(({ time }) => time < (filter.since ?? 0))) break;
        await breath();
      }
      return { flows, next: null };
    },
    losses: (since) => ask('losses', ({ table }) => table.losses(since), []),
    newest: () => ask('newest', ({ table }) => table.newest(), null),
    trim: ({ olderThan, maxBytes }) =>
      ask(
        'trim',
        ({ db, table }) => {
          const old = (table.oldest() ?? Number.POSITIVE_INFINITY) < olderThan ? table.removeOld(sliceRows, olderThan) : 0;
          const excess = usedBytes(db) > maxBytes ? table.removeOldest(sliceRows) : 0;
          // pages that became free are used again first; those beyond the limit are given back
          if (fileBytes(db) > maxBytes) db.pragma('incremental_vacuum(500)');
          return old + excess;
        },
        0,
      ),
    size: () => ask('size', ({ db, table }) => ({ rows: table.rows(), bytes: fileBytes(db) }), { rows: 0, bytes: 0 }),
    close() {
      opened?.db.close();
      opened = null;
    },
  };
}

/** @throws StateError STATE_WRITE_FAILED */
function leaveRoom(file: string, reserveBytes: number): void {
  const { bavail, bsize } = statfsSync(dirname(file));
  if (bavail * bsize >= reserveBytes) return;
  const mebibytes = Math.round(reserveBytes / 1024 / 1024);
  throw failure('STATE_WRITE_FAILED', `cannot keep flows in ${file}: less than ${mebibytes} MiB of the disk are free; free space`, {
    path: file,
  });
}

function open(file: string): Opened {
  prepareStateFile(file);
  const db = new Database(file, { timeout: 500 });
  try {
    const version = db.pragma('user_version', { simple: true });
    if (version !== 0 && version !== flowsVersion) throw new Database.SqliteError(`it has version ${version}`, 'SQLITE_CORRUPT');
    if (version === 0) {
      db.pragma('auto_vacuum = INCREMENTAL');
      db.transaction(() => {
        db.exec(flowsSchema);
        db.pragma(`user_version = ${flowsVersion}`);
      })();
    }
    db.pragma('journal_mode = WAL');
    // nothing waits for the disk (https://sqlite.org/pragma.html#pragma_synchronous)
    db.pragma('synchronous = OFF');
    db.pragma(`journal_size_limit = ${4 * 1024 * 1024}`);
    return { db, table: flowsTable(db) };
  } catch (thrown) {
    db.close();
    throw thrown;
  }
}

function fileBytes(db: Database.Database): number {
  return Number(db.pragma('page_count', { simple: true })) * Number(db.pragma('page_size', { simple: true }));
}

function usedBytes(db: Database.Database): number {
  return fileBytes(db) - Number(db.pragma('freelist_count', { simple: true })) * Number(db.pragma('page_size', { simple: true }));
}
