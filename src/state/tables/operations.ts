import type { Database } from 'better-sqlite3';
import { failure } from '../../model/errors.ts';
import type { Operation } from '../../model/operation.ts';
import { insert, jsonFields, quoted } from '../rows.ts';
import type { Store } from '../store.ts';

const facts = ['id', 'kind', 'vmid', 'network', 'traceId', 'begin', 'end', 'outcome', 'message', 'requester', 'error'];
const columns = [...facts, 'before', 'after', 'spans'];
const { toRow, fromRow } = jsonFields<Operation>('requester', 'error', 'spans');

/** `sequence` is the order of the begins, which a clock that jumps cannot change. */
export function operationsTable(db: Database): Store['operations'] {
  const begin = db.prepare(insert('operations', columns));
  const end = db.prepare(
    `UPDATE operations SET "end" = @end, outcome = @outcome, message = @message, error = @error, network = @network,
       before = @before, after = @after, spans = @spans WHERE id = @id`,
  );
  const get = db.prepare(`SELECT ${quoted(columns)} FROM operations WHERE id = ?`);
  const listed = (where: string) =>
    db.prepare(
      `SELECT ${quoted(facts)}, NULL AS before, NULL AS after, '[]' AS spans FROM operations ${where} ORDER BY sequence DESC LIMIT @limit`,
    );
  const lists = {
    all: listed('WHERE sequence < @before'),
    ofContainer: listed('WHERE vmid = @vmid AND sequence < @before'),
  };
  const sequenceOf = db.prepare<[string], number>('SELECT sequence FROM operations WHERE id = ?').pluck();
  // no index by time: the newest rows are the last ones
  const newest = db.prepare<[], { kind: string; begin: number; end: number | null; outcome: string | null }>(
    'SELECT kind, begin, "end", outcome FROM operations ORDER BY sequence DESC',
  );
  const open = db.prepare(`SELECT ${quoted(columns)} FROM operations WHERE "end" IS NULL ORDER BY sequence`);
  const prune = db.prepare('DELETE FROM operations WHERE "end" < ?');

  return {
    begin: (operation) => void begin.run(toRow(operation)),
    end(operation) {
      if (end.run(toRow(operation)).changes > 0) return;
      throw failure('OPERATION_UNKNOWN', `cannot end operation ${operation.id}: it was never begun or is pruned`, {
        operation: operation.id,
      });
    },
    get(id) {
      const row = get.get(id);
      return row ? fromRow(row) : null;
    },
    list({ vmid, limit, before: id }) {
      const before = id === undefined ? Number.MAX_SAFE_INTEGER : (sequenceOf.get(id) ?? 0);
      const rows = vmid === undefined ? lists.all.all({ limit, before }) : lists.ofContainer.all({ vmid, limit, before });
      return rows.map(fromRow);
    },
    ended(since, limit) {
      const found: ReturnType<Store['operations']['ended']> = [];
      for (const { kind, begin, end, outcome } of newest.iterate()) {
        if (begin < since || found.length === limit) break;
        if (end !== null && (kind === 'attach' || kind === 'detach')) found.push({ kind, begin, end, failed: outcome !== 'ok' });
      }
      return found;
    },
    open: () => open.all().map(fromRow),
    prune: (olderThan) => prune.run(olderThan).changes,
  };
}
