import type { Database } from 'better-sqlite3';
import type { AddressReservation } from '../../model/attachment.ts';
import { failure } from '../../model/errors.ts';
import { quoted, upsert } from '../rows.ts';
import type { Store } from '../store.ts';

const key = ['network', 'address'] as const;
const columns = [...key, 'vmid', 'ifname', 'state', 'since', 'releaseAt', 'node', 'releasing'];

interface Row extends Omit<AddressReservation, 'node' | 'releasing'> {
  node: string | null;
  releasing: 0 | 1;
}

export function addressesTable(db: Database): Store['addresses'] {
  const list = db.prepare<[{ network: string | null; vmid: number | null }], Row>(
    `SELECT ${quoted(columns)} FROM addresses WHERE (@network IS NULL OR network = @network) AND (@vmid IS NULL OR vmid = @vmid)
     ORDER BY network, address`,
  );
  const ofContainer = db.prepare<[number], Row>(`SELECT ${quoted(columns)} FROM addresses WHERE vmid = ? ORDER BY network, address`);
  const get = db.prepare<[string, string], Row>(`SELECT ${quoted(columns)} FROM addresses WHERE network = ? AND address = ?`);
  const taken = db.prepare<[string], string>('SELECT address FROM addresses WHERE network = ?').pluck();
  const put = db.prepare<Row>(
    `${upsert('addresses', columns, key)} WHERE addresses.vmid = excluded.vmid AND addresses.ifname = excluded.ifname`,
  );
  const remove = db.prepare('DELETE FROM addresses WHERE network = ? AND address = ?');

  return {
    list({ network, vmid } = {}) {
      // a container's rows are found by its index, whatever the network: there are few of them
      const rows = vmid === undefined ? list.all({ network: network ?? null, vmid: null }) : ofContainer.all(vmid);
      return rows.filter((row) => network === undefined || row.network === network).map(fromRow);
    },
    get(network, address) {
      const row = get.get(network, address);
      return row ? fromRow(row) : null;
    },
    taken: (network) => new Set(taken.all(network)),
    put(reservation) {
      const row: Row = { ...reservation, node: reservation.node ?? null, releasing: reservation.releasing ? 1 : 0 };
      if (put.run(row).changes > 0) return;
      const owner = get.get(reservation.network, reservation.address);
      throw failure(
        'IPAM_ADDRESS_TAKEN',
        `cannot give ${reservation.address} of network "${reservation.network}" to ${reservation.ifname} of container ${reservation.vmid}: container ${owner?.vmid} has it; choose another address`,
        { network: reservation.network, address: reservation.address, vmid: reservation.vmid, owner: owner?.vmid },
      );
    },
    remove: (network, address) => void remove.run(network, address),
  };
}

function fromRow({ node, releasing, ...row }: Row): AddressReservation {
  return { ...row, ...(node !== null && { node }), ...(releasing && { releasing: true }) };
}
