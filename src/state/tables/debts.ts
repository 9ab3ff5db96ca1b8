import type { Database } from 'better-sqlite3';
import type { Debt } from '../../model/attachment.ts';
import { insert, jsonFields, quoted } from '../rows.ts';
import type { Store } from '../store.ts';

const columns = ['vmid', 'ifname', 'network', 'containerId', 'attempts', 'since', 'nextTryAt', 'reason', 'request', 'result'];
const { toRow, fromRow } = jsonFields<Debt>('reason', 'request', 'result');

export function debtsTable(db: Database): Store['debts'] {
  const list = db.prepare(`SELECT ${quoted(['id', ...columns])} FROM debts ORDER BY id`);
  const add = db.prepare(insert('debts', columns));
  const put = db.prepare(`UPDATE debts SET ${columns.map((column) => `${column} = @${column}`).join(', ')} WHERE id = @id`);
  const remove = db.prepare('DELETE FROM debts WHERE id = ?');
  return {
    list: () => list.all().map(fromRow),
    add(debt) {
      const { id: _given, ...row } = toRow({ ...debt, id: 0 });
      return { ...debt, id: Number(add.run(row).lastInsertRowid) };
    },
    put: (debt) => void put.run(toRow(debt)),
    remove: (id) => void remove.run(id),
  };
}
