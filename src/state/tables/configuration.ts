import type { Database } from 'better-sqlite3';
import { upsert } from '../rows.ts';
import type { Store } from '../store.ts';

export function configurationTable(db: Database): Store['configuration'] {
  const list = db.prepare<[], { file: string; text: string }>('SELECT file, text FROM configuration ORDER BY file');
  const put = db.prepare(upsert('configuration', ['file', 'text'], ['file']));
  const remove = db.prepare('DELETE FROM configuration WHERE file = ?');
  return {
    list: () => list.all(),
    put: (file, text) => void put.run({ file, text }),
    remove: (file) => void remove.run(file),
  };
}

export function seenTable(db: Database): Store['seen'] {
  const list = db.prepare<[], number>('SELECT vmid FROM seen ORDER BY vmid').pluck();
  const add = db.prepare('INSERT OR IGNORE INTO seen (vmid) VALUES (?)');
  const remove = db.prepare('DELETE FROM seen WHERE vmid = ?');
  return { list: () => list.all(), add: (vmid) => void add.run(vmid), remove: (vmid) => void remove.run(vmid) };
}
