import type { Database } from 'better-sqlite3';
import type { Flow, FlowEnd, FlowLoss, KeptFlow } from '../../model/flow.ts';
import { insert, quoted } from '../rows.ts';

/** Rises when the shape changes; a file of another shape is begun anew. */
export const flowsVersion = 1;

/** No index besides the order of arrival: they would cost each row more than the few questions about them save. */
export const flowsSchema = `
  CREATE TABLE flows (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time INTEGER NOT NULL,
    origin TEXT NOT NULL,
    verdict TEXT NOT NULL,
    direction TEXT,
    protocol TEXT NOT NULL,
    fromKind TEXT NOT NULL, fromVmid INTEGER, fromName TEXT NOT NULL, fromAddress TEXT NOT NULL, fromPort INTEGER,
    toKind TEXT NOT NULL, toVmid INTEGER, toName TEXT NOT NULL, toAddress TEXT NOT NULL, toPort INTEGER,
    reason TEXT NOT NULL,
    policies TEXT NOT NULL,
    detail TEXT NOT NULL
  ) STRICT;
  CREATE TABLE losses (
    id INTEGER PRIMARY KEY,
    place TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    count INTEGER
  ) STRICT;`;

const ends = ['from', 'to'].flatMap((end) => ['Kind', 'Vmid', 'Name', 'Address', 'Port'].map((field) => `${end}${field}`));
const columns = ['time', 'origin', 'verdict', 'direction', 'protocol', ...ends, 'reason', 'policies', 'detail'];

/** Losses at one place that follow each other within this time are one. */
const sameLossMs = 60_000;
const keptLosses = 1000;

export function flowsTable(db: Database) {
  const add = db.prepare(insert('flows', columns));
  // ids that nobody else gives: a slice of them is found without looking at what comes before
  const slice = db.prepare(`SELECT id, ${quoted(columns)} FROM flows WHERE id < @before ORDER BY id DESC LIMIT @size`);
  const newest = db.prepare('SELECT time FROM flows ORDER BY id DESC LIMIT 1').pluck();
  const bounds = db.prepare('SELECT min(id) AS first, max(id) AS last FROM flows');
  const oldest = db.prepare('SELECT time FROM flows ORDER BY id LIMIT 1').pluck();
  const removeOldest = db.prepare('DELETE FROM flows WHERE id <= (SELECT min(id) FROM flows) + ?');
  const removeOld = db.prepare('DELETE FROM flows WHERE id <= (SELECT min(id) FROM flows) + ? AND time < ?');

  const lastLoss = db.prepare('SELECT id, until FROM losses WHERE place = ? AND (count IS NULL) = ? ORDER BY id DESC LIMIT 1');
  const addLoss = db.prepare(insert('losses', ['place', 'since', 'until', 'count']));
  const growLoss = db.prepare('UPDATE losses SET until = max(until, @until), count = count + @count WHERE id = @id');
  const forgetLosses = db.prepare('DELETE FROM losses WHERE id <= (SELECT max(id) FROM losses) - ?');
  const losses = db.prepare('SELECT place, since, until, count FROM losses WHERE until >= ? ORDER BY id DESC LIMIT 100');

  return {
    add: (flow: Flow) => void add.run(rowOf(flow)),
    addLoss(loss: FlowLoss): void {
      const last = lastLoss.get(loss.place, loss.count === null ? 1 : 0) as { id: number; until: number } | undefined;
      if (last && loss.count !== null && loss.since - last.until < sameLossMs) return void growLoss.run({ ...loss, id: last.id });
      addLoss.run(loss);
      forgetLosses.run(keptLosses);
    },
    slice: (before: number, size: number) => slice.all({ before, size }).map((row) => flowOf(row as Row)),
    newest: () => (newest.get() as number | undefined) ?? null,
    oldest: () => (oldest.get() as number | undefined) ?? null,
    /** rows go at the old end only, so that ids have no holes */
    rows(): number {
      const { first, last } = bounds.get() as { first: number | null; last: number | null };
      return first === null || last === null ? 0 : last - first + 1;
    },
    removeOldest: (count: number) => removeOldest.run(count - 1).changes,
    removeOld: (count: number, before: number) => removeOld.run(count - 1, before).changes,
    losses: (since: number) => losses.all(since) as FlowLoss[],
  };
}

type Row = Omit<KeptFlow, 'from' | 'to' | 'policies'> & { policies: string } & Record<string, string | number | null>;

function rowOf({ from, to, policies, ...flow }: Flow): Record<string, unknown> {
  return { ...flow, policies: policies.join('\n'), ...endRow('from', from), ...endRow('to', to) };
}

function endRow(end: string, { kind, vmid, name, address, port }: FlowEnd): Record<string, unknown> {
  return { [`${end}Kind`]: kind, [`${end}Vmid`]: vmid, [`${end}Name`]: name, [`${end}Address`]: address, [`${end}Port`]: port };
}

/** A row that `rowOf` made, so its shape is a flow's. */
function flowOf(row: Row): KeptFlow {
  const end = (name: string) =>
    ({
      kind: row[`${name}Kind`],
      vmid: row[`${name}Vmid`],
      name: row[`${name}Name`],
      address: row[`${name}Address`],
      port: row[`${name}Port`],
    }) as FlowEnd;
  const { id, time, origin, verdict, direction, protocol, reason, policies, detail } = row;
  const named = policies === '' ? [] : policies.split('\n');
  return { id, time, origin, verdict, direction, protocol, from: end('from'), to: end('to'), reason, policies: named, detail };
}
