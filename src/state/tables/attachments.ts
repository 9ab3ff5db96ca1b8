import type { Database } from 'better-sqlite3';
import { type Attachment, type AttachmentPhase, attachmentMoves } from '../../model/attachment.ts';
import { failure } from '../../model/errors.ts';
import { jsonFields, quoted, upsert } from '../rows.ts';
import type { Store } from '../store.ts';

const key = ['vmid', 'ifname'] as const;
const columns = [
  ...key,
  ...['network', 'phase', 'containerId', 'bootId', 'mac', 'hostInterface', 'since', 'addresses', 'error', 'request', 'result'],
];
const { toRow, fromRow } = jsonFields<Attachment>('addresses', 'error', 'request', 'result');

export function attachmentsTable(db: Database): Store['attachments'] {
  const select = `SELECT ${quoted(columns)} FROM attachments`;
  const lists = {
    all: db.prepare(`${select} ORDER BY vmid, ifname`),
    ofContainer: db.prepare(`${select} WHERE vmid = @vmid ORDER BY ifname`),
    ofNetwork: db.prepare(`${select} WHERE network = @network ORDER BY vmid, ifname`),
    ofBoth: db.prepare(`${select} WHERE vmid = @vmid AND network = @network ORDER BY ifname`),
  };
  const get = db.prepare(`${select} WHERE vmid = ? AND ifname = ?`);
  const short = 'SELECT vmid, ifname, network, phase, containerId, hostInterface, addresses FROM attachments';
  const brief = db.prepare(`${short} ORDER BY vmid, ifname`);
  const briefInPhase = db.prepare(`${short} WHERE phase = ? ORDER BY vmid, ifname`);
  const any = db.prepare('SELECT 1 FROM attachments LIMIT 1');
  const phase = db.prepare<[number, string], AttachmentPhase>('SELECT phase FROM attachments WHERE vmid = ? AND ifname = ?').pluck();
  const put = db.prepare(upsert('attachments', columns, key));
  const remove = db.prepare('DELETE FROM attachments WHERE vmid = ? AND ifname = ?');

  return {
    list(filter = {}) {
      if (filter.vmid === undefined && filter.network === undefined) return lists.all.all().map(fromRow);
      if (filter.network === undefined) return lists.ofContainer.all(filter).map(fromRow);
      if (filter.vmid === undefined) return lists.ofNetwork.all(filter).map(fromRow);
      return lists.ofBoth.all(filter).map(fromRow);
    },
    get(vmid, ifname) {
      const row = get.get(vmid, ifname);
      return row ? fromRow(row) : null;
    },
    any: () => any.get() !== undefined,
    brief: (phase) => (phase ? briefInPhase.all(phase) : brief.all()).map(fromRow),
    put(attachment) {
      refuseMove(phase.get(attachment.vmid, attachment.ifname) ?? 'absent', attachment);
      put.run(toRow(attachment));
    },
    remove: (vmid, ifname) => void remove.run(vmid, ifname),
  };
}

/** A row that keeps its phase is an update of its facts, not a move. */
function refuseMove(from: keyof typeof attachmentMoves, { phase, vmid, ifname }: Attachment): void {
  const allowed: readonly string[] = attachmentMoves[from];
  if (phase === from || allowed.includes(phase)) return;
  throw failure(
    'INTERNAL',
    `cannot record ${ifname} of container ${vmid} as ${phase}: it is ${from}, from where only ${allowed.join(', ')} may follow`,
    { vmid, ifname, from, to: phase },
  );
}
