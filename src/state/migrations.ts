import type { Database } from 'better-sqlite3';
import { failure } from '../model/errors.ts';

/** The steps from an empty file to today's shape, in order; step n leaves `PRAGMA user_version` at n. A step that was
 *  released is never edited. Columns carry the names of the model. `CHECK (json_valid())` makes quick_check find rows
 *  whose JSON is damaged. Large columns come last, so that what does not ask for them does not read their pages. */
export const migrations: readonly string[] = [
  `CREATE TABLE lives (
     vmid INTEGER PRIMARY KEY,
     newestGeneration INTEGER NOT NULL,
     alive INTEGER NOT NULL,
     generation INTEGER NOT NULL,
     containerId TEXT NOT NULL,
     bootId TEXT NOT NULL,
     initPid INTEGER NOT NULL,
     initStartTime TEXT NOT NULL,
     netnsPath TEXT NOT NULL
   ) STRICT;

   CREATE TABLE attachments (
     vmid INTEGER NOT NULL,
     ifname TEXT NOT NULL,
     network TEXT NOT NULL,
     phase TEXT NOT NULL,
     containerId TEXT NOT NULL,
     bootId TEXT NOT NULL,
     mac TEXT NOT NULL,
     hostInterface TEXT NOT NULL,
     since REAL NOT NULL,
     addresses TEXT NOT NULL CHECK (json_valid(addresses)),
     error TEXT NOT NULL CHECK (json_valid(error)),
     request TEXT NOT NULL CHECK (json_valid(request)),
     result TEXT NOT NULL CHECK (json_valid(result)),
     PRIMARY KEY (vmid, ifname)
   ) STRICT;
   CREATE INDEX attachmentsOfNetwork ON attachments (network);

   CREATE TABLE debts (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     vmid INTEGER NOT NULL,
     ifname TEXT NOT NULL,
     network TEXT NOT NULL,
     containerId TEXT NOT NULL,
     attempts INTEGER NOT NULL,
     since REAL NOT NULL,
     nextTryAt REAL NOT NULL,
     reason TEXT NOT NULL CHECK (json_valid(reason)),
     request TEXT NOT NULL CHECK (json_valid(request)),
     result TEXT NOT NULL CHECK (json_valid(result))
   ) STRICT;

   CREATE TABLE addresses (
     network TEXT NOT NULL,
     address TEXT NOT NULL,
     vmid INTEGER NOT NULL,
     ifname TEXT NOT NULL,
     state TEXT NOT NULL,
     since REAL NOT NULL,
     releaseAt REAL,
     node TEXT,
     releasing INTEGER NOT NULL,
     PRIMARY KEY (network, address)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX addressesOfContainer ON addresses (vmid);

   CREATE TABLE operations (
     sequence INTEGER PRIMARY KEY,
     id TEXT NOT NULL UNIQUE,
     kind TEXT NOT NULL,
     vmid INTEGER,
     network TEXT,
     traceId TEXT NOT NULL,
     begin REAL NOT NULL,
     "end" REAL,
     outcome TEXT,
     message TEXT NOT NULL,
     requester TEXT NOT NULL CHECK (json_valid(requester)),
     error TEXT NOT NULL CHECK (json_valid(error)),
     before TEXT,
     after TEXT,
     spans TEXT NOT NULL CHECK (json_valid(spans))
   ) STRICT;
   CREATE INDEX operationsOfContainer ON operations (vmid);
   CREATE INDEX operationsOpen ON operations (sequence) WHERE "end" IS NULL;

   CREATE TABLE configuration (file TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT;
   CREATE TABLE seen (vmid INTEGER PRIMARY KEY) STRICT;`,
];

/** Brings the file to today's shape, each step in its own transaction.
 *  @throws StateError STATE_NEWER when the file is ahead of this version */
export function migrate(db: Database, file: string): void {
  const present = db.pragma('user_version', { simple: true }) as number;
  refuseNewer(present, file);
  for (let version = present + 1; version <= migrations.length; version++) {
    db.transaction(() => {
      db.exec(migrations[version - 1] as string);
      db.pragma(`user_version = ${version}`);
    }).immediate();
  }
}

/** @throws StateError STATE_NEWER */
export function refuseNewer(version: number, file: string): void {
  if (version <= migrations.length) return;
  throw failure(
    'STATE_NEWER',
    `cannot open ${file}: it has version ${version} and this program knows versions up to ${migrations.length}; install the newer version again, or restore a backup of the file`,
    { path: file, version, known: migrations.length },
  );
}
