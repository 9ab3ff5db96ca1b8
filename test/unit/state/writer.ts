/** A process that changes state until it is killed, and says on stdout what was acknowledged: one line each.
 *  writer.ts store FILE: commits · writer.ts relaxed FILE: commits that do not wait for the disk ·
 *  writer.ts addresses FILE ROOT NODE SEED: reserves and releases · writer.ts claim FILE ROOT NODE VMID: one
 *  pass over a small subnet's addresses, each claimed as fixed, begun when a line comes on stdin. */
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { openStore } from '../../../src/state/open-store.ts';
import { createReservations } from '../../../src/state/reservations.ts';
import { attachment, operation } from './records.ts';

const [mode, file = '', root = '', node = '', seed = '1'] = process.argv.slice(2);
const store = openStore({ file });
const say = (text: string) => writeSync(1, `${text}\n`);
const reservations = createReservations({ root, store, clock: Date.now, writable: () => true, shared: mode === 'claim', node });

if (mode === 'store' || mode === 'relaxed')
  for (let number = 0; ; number++) {
    const commit = () =>
      store.transaction(() => {
        store.attachments.put(attachment(100 + number));
        store.operations.begin(operation(`o${number}`, { vmid: 100 + number }));
        store.seen.add(100 + number);
      });
    if (mode === 'relaxed') store.relaxed(commit);
    else commit();
    say(String(number));
  }

if (mode === 'addresses') {
  let state = Number(seed);
  const random = (below: number) => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  };
  for (;;) {
    const vmid = 100 + random(20);
    if (random(3) > 0) {
      const given = await reservations.reserve('web', [{ cidr: '10.20.0.0/27' }, { cidr: 'fd00::/64' }], {
        vmid,
        ifname: 'eth0',
        wanted: 'auto',
      });
      say(`reserved ${vmid} ${given.join(' ')}`);
    } else {
      say(`releasing ${vmid}`);
      await reservations.releaseFor(vmid);
      say(`released ${vmid}`);
    }
  }
}

if (mode === 'claim') {
  say('ready');
  await once(process.stdin, 'data');
  for (let host = 1; host < 255; host++) {
    const request = { vmid: Number(seed), ifname: `eth${host}`, wanted: [`10.20.0.${host}`] };
    const [won] = await reservations.reserve('web', [{ cidr: '10.20.0.0/24' }], request).catch((error) => {
      if (error.code !== 'IPAM_ADDRESS_TAKEN') throw error;
      return [];
    });
    if (won) say(won);
  }
  process.stdin.destroy();
}

store.close();
