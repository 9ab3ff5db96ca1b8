import type { Database } from 'better-sqlite3';
import type { Life } from '../../model/attachment.ts';
import type { Store } from '../store.ts';

const columns = 'vmid, generation, containerId, bootId, initPid, initStartTime, netnsPath';

/** A removed life leaves its row behind, not alive: the row remembers the newest generation of its vmid. */
export function livesTable(db: Database): Store['lives'] {
  const list = db.prepare<[], Life>(`SELECT ${columns} FROM lives WHERE alive ORDER BY vmid`);
  const get = db.prepare<[number], Life>(`SELECT ${columns} FROM lives WHERE vmid = ? AND alive`);
  const newest = db.prepare<[number], number>('SELECT newestGeneration FROM lives WHERE vmid = ?').pluck();
  const remove = db.prepare('UPDATE lives SET alive = 0 WHERE vmid = ?');
  const put = db.prepare<Life>(
    `INSERT INTO lives (${columns}, newestGeneration, alive)
     VALUES (@vmid, @generation, @containerId, @bootId, @initPid, @initStartTime, @netnsPath, @generation, 1)
     ON CONFLICT (vmid) DO UPDATE SET
       generation = excluded.generation, containerId = excluded.containerId, bootId = excluded.bootId,
       initPid = excluded.initPid, initStartTime = excluded.initStartTime, netnsPath = excluded.netnsPath,
       newestGeneration = max(newestGeneration, excluded.generation), alive = 1`,
  );
  return {
    list: () => list.all(),
    get: (vmid) => get.get(vmid) ?? null,
    lastGeneration: (vmid) => newest.get(vmid) ?? 0,
    put: (life) => void put.run(life),
    remove: (vmid) => void remove.run(vmid),
  };
}
