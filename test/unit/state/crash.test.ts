import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createReservations } from '../../../src/state/reservations.ts';
import { useFolder } from './support.ts';

const writer = fileURLToPath(new URL('writer.ts', import.meta.url));

/** Runs the writer, kills it after so many lines (never when null), and returns the whole lines that it said. */
async function run(parameters: string[], killAfter: number | null, ready: () => Promise<unknown> = async () => {}): Promise<string[]> {
  const child = spawn(process.execPath, ['--import', 'tsx', writer, ...parameters], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exit = once(child, 'exit');
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'ready') void ready().then(() => child.stdin.end('go\n'));
    else lines.push(line);
    if (lines.length === killAfter) child.kill('SIGKILL');
  }
  const [code, signal] = await exit;
  assert.ok(killAfter === null ? code === 0 : signal === 'SIGKILL', `the writer ended with ${code ?? signal}`);
  return lines;
}

describe('a process killed while it writes', () => {
  const files = useFolder();

  for (const [mode, commits] of [
    ['store', 1],
    ['store', 37],
    ['store', 150],
    ['relaxed', 150],
  ] as const)
    it(`after ${commits} commits (${mode}): every acknowledged one is there, and each is there whole`, async () => {
      const acknowledged = await run([mode, files.path('state.db')], commits);
      const store = files.open();
      assert.equal(store.rebuilt, null);
      const attachments = store.attachments.list();
      assert.ok(attachments.length >= acknowledged.length);
      assert.deepEqual(
        attachments.map((one) => one.vmid),
        attachments.map((_, number) => 100 + number),
      );
      assert.equal(store.operations.open().length, attachments.length);
      assert.equal(store.seen.list().length, attachments.length);
    });

  it('D45 while it reserves and releases: no address has two owners, none that was answered is lost, none stays taken for good', async () => {
    mkdirSync(files.path('root'));
    const owners = new Map<string, string>();
    const unsure = new Set<string>();
    for (const [round, killAfter] of [5, 23, 40].entries()) {
      const lines = await run(['addresses', files.path('state.db'), files.path('root'), 'a', String(round + 1)], killAfter);
      unsure.clear();
      for (const line of lines) {
        const [verb, vmid = '', ...addresses] = line.split(' ');
        if (verb === 'reserved') for (const address of addresses) owners.set(address, vmid);
        if (verb === 'releasing') unsure.add(vmid);
        if (verb === 'released') {
          unsure.delete(vmid);
          for (const [address, owner] of owners) if (owner === vmid) owners.delete(address);
        }
      }
      const store = files.open();
      const reservations = createReservations({
        root: files.path('root'),
        store,
        clock: () => Date.now() + 61_000,
        writable: () => true,
        node: 'a',
      });
      await reservations.load();
      const names = readdirSync(files.path('root/addresses/web')).filter((name) => !name.startsWith('.'));
      assert.deepEqual(
        store.addresses
          .list()
          .map((row) => row.address)
          .sort(),
        names.sort(),
        'index and files agree',
      );
      for (const [address, owner] of owners) {
        const row = store.addresses.get('web', address);
        if (!unsure.has(owner)) assert.equal(row?.vmid, Number(owner), address);
        else if (!row || row.vmid !== Number(owner)) owners.delete(address);
      }
      store.close();
    }
    const store = files.open();
    const reservations = createReservations({ root: files.path('root'), store, clock: Date.now, writable: () => true, node: 'a' });
    for (let vmid = 100; vmid < 120; vmid++) await reservations.releaseFor(vmid);
    assert.deepEqual(
      readdirSync(files.path('root/addresses/web')).filter((name) => !name.startsWith('.')),
      [],
    );
    assert.deepEqual(store.addresses.list(), []);
  });

  it('D57 two processes claim the same 254 addresses: each has one winner', async () => {
    mkdirSync(files.path('root'));
    let waiting = 2;
    let start = () => {};
    const both = new Promise<void>((resolve) => {
      start = resolve;
    });
    const ready = () => {
      if (--waiting === 0) start();
      return both;
    };
    const [one = [], other = []] = await Promise.all(
      ['101', '102'].map((vmid) => run(['claim', files.path(`${vmid}/state.db`), files.path('root'), `node${vmid}`, vmid], null, ready)),
    );
    assert.equal(one.length + other.length, 254);
    assert.equal(new Set([...one, ...other]).size, 254);
    assert.ok(one.length > 0 && other.length > 0, 'they ran at the same time');
  });
});
