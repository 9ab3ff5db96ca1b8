import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Flow } from '../../../src/model/flow.ts';
import type { FlowStore } from '../../../src/state/flow-store.ts';
import { createFlowStore } from '../../../src/state/open-flow-store.ts';
import { skip } from '../../support/skip.ts';
import { end, flow } from '../flow-fixture.ts';

describe('the store of flows', () => {
  let folder = '';
  let file = '';
  let damaged: string[] = [];
  const stores: FlowStore[] = [];
  const open = () => {
    const store = createFlowStore({ file, onDamaged: (reason) => damaged.push(reason) });
    stores.push(store);
    return store;
  };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pve-cni-flows-'));
    file = join(folder, 'flows.db');
    damaged = [];
  });
  afterEach(() => {
    for (const store of stores.splice(0)) store.close();
    rmSync(folder, { recursive: true });
  });
  const many = (count: number, changes: (index: number) => Partial<Flow> = () => ({})) =>
    Array.from({ length: count }, (_, index) => flow({ time: 1000 + index, ...changes(index) }));
  const keepAll = { olderThan: 0, maxBytes: Number.MAX_SAFE_INTEGER };

  it('makes no file before there is a flow, whatever is asked', async () => {
    const store = open();
    assert.deepEqual(await store.page({}, { limit: 10 }), { flows: [], next: null });
    assert.deepEqual([store.newest(), store.losses(0), store.size(), store.trim(keepAll)], [null, [], { rows: 0, bytes: 0 }, 0]);
    assert.equal(existsSync(file), false);
  });

  it('gives back what was put in, after it was opened again, readable by root alone', async () => {
    const full = flow({
      verdict: 'dropped',
      direction: null,
      policies: ['a', 'b'],
      reason: 'why',
      detail: 'GET /',
      to: end({ port: null, vmid: null }),
    });
    open().add([full], []);
    const { flows } = await open().page({}, { limit: 10 });
    assert.deepEqual(flows, [{ id: 1, ...full }]);
    assert.equal(statSync(file).mode & 0o777, 0o600);
  });

  it('gives pages newest first, and the next one by the last’s cursor', async () => {
    const store = open();
    store.add(many(250), []);
    const ids: number[] = [];
    for (let before: number | undefined, turn = 0; turn < 5; turn++) {
      const { flows, next } = await store.page({}, { limit: 100, before });
      ids.push(...flows.map(({ id }) => id));
      if (next === null) break;
      before = next;
    }
    assert.deepEqual(
      ids,
      Array.from({ length: 250 }, (_, index) => 250 - index),
    );
  });

  it('finds the few that match among many, without keeping others waiting', async () => {
    const store = open();
    store.add(
      many(20_000, (index) => (index % 5000 === 0 ? { verdict: 'dropped' } : {})),
      [],
    );
    let turns = 0;
    const ticking = setInterval(() => {
      turns += 1;
    }, 1);
    const { flows } = await store.page({ verdict: ['dropped'] }, { limit: 10 });
    clearInterval(ticking);
    assert.deepEqual(
      flows.map(({ time }) => time),
      [16_000, 11_000, 6000, 1000],
    );
    assert.ok(turns > 3, 'others had their turn in between');
  });

  it('looks no further back than it is asked', async () => {
    const store = open();
    store.add(many(5000), []);
    assert.equal((await store.page({ since: 5990 }, { limit: 100 })).flows.length, 10);
  });

  it('removes by age, the oldest first, a bounded number at once', () => {
    const store = open();
    store.add(many(5000), []);
    const removed: number[] = [];
    while (removed.at(-1) !== 0) removed.push(store.trim({ ...keepAll, olderThan: 5500 }));
    assert.deepEqual(removed, [2000, 2000, 500, 0]);
    assert.equal(store.size().rows, 500);
  });

  it('stays below its size while flows come without end, and shrinks when the limit does', async () => {
    const store = open();
    const maxBytes = 2 * 1024 * 1024;
    for (let turn = 0; turn < 60; turn++) {
      store.add(
        many(1000, () => ({ detail: 'x'.repeat(100) })),
        [],
      );
      store.trim({ ...keepAll, maxBytes });
    }
    const { rows, bytes } = store.size();
    assert.ok(bytes <= maxBytes * 1.2, `${bytes} bytes`);
    assert.ok(rows > 3000, 'and is not emptied for it');
    assert.equal((await store.page({}, { limit: 1 })).flows[0]?.id, 60_000, 'the newest is kept');
    for (let turn = 0; turn < 20; turn++) store.trim({ ...keepAll, maxBytes: maxBytes / 4 });
    assert.ok(store.size().bytes <= maxBytes / 3, `${store.size().bytes} bytes`);
    store.close();
    assert.ok(statSync(file).size <= maxBytes / 3, 'the disk has its space again');
  });

  it('keeps losses of one place that follow each other as one, and unknown ones apart', () => {
    const store = open();
    const loss = (since: number, count: number | null) => ({ place: 'hubble' as const, since, until: since + 10, count });
    store.add([], [loss(1000, 5), loss(2000, 7)]);
    store.add([], [loss(3000, 1), loss(200_000, 2), loss(4000, null), loss(5000, null)]);
    assert.deepEqual(store.losses(0).reverse(), [
      { place: 'hubble', since: 1000, until: 3010, count: 13 },
      { place: 'hubble', since: 200_000, until: 200_010, count: 2 },
      { place: 'hubble', since: 4000, until: 4010, count: null },
      { place: 'hubble', since: 5000, until: 5010, count: null },
    ]);
    assert.equal(store.losses(100_000).length, 1);
  });

  it('D50 begins a file anew whose middle a power cut damaged, when that is met', async () => {
    const written = open();
    written.add(many(5000), []);
    written.close();
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.fill(0xff, 8192, bytes.length - 8192));
    const store = open();
    assert.deepEqual((await store.page({ port: 1 }, { limit: 10 })).flows, []);
    assert.equal(damaged.length, 1);
    store.add([flow()], []);
    assert.equal(store.size().rows, 1);
  });

  describe('D51 on a disk', () => {
    const fill = (left: number) => {
      const { bavail, bsize } = statfsSync(folder);
      writeFileSync(join(folder, 'ballast'), Buffer.alloc(Math.max(0, bavail * bsize - left), 1));
    };
    beforeEach(function () {
      if (process.getuid?.() !== 0) skip(this, 'mounting a small disk needs root');
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m,mode=0700', 'tmpfs', folder]);
    });
    afterEach(() => {
      for (const store of stores.splice(0)) store.close();
      execFileSync('umount', [folder]);
    });
    const openWith = (reserveBytes: number) => {
      const store = createFlowStore({ file, onDamaged: (reason) => damaged.push(reason), reserveBytes });
      stores.push(store);
      return store;
    };

    it('that is nearly full nothing more is written, so that the journal goes on', async () => {
      const store = openWith(1024 * 1024);
      store.add([flow()], []);
      fill(900_000);
      assert.throws(() => store.add([flow()], []), { code: 'STATE_WRITE_FAILED' });
      assert.ok(statfsSync(folder).bavail * statfsSync(folder).bsize > 500_000);
      rmSync(join(folder, 'ballast'));
      store.add([flow()], []);
      assert.equal(store.size().rows, 2);
    });

    it('that is full a batch is refused as a whole, and written when there is room', async () => {
      const store = openWith(0);
      store.add([flow()], []);
      fill(0);
      assert.throws(() => store.add(many(5000), []), { code: 'STATE_WRITE_FAILED' });
      assert.equal((await store.page({}, { limit: 10 })).flows.length, 1);
      rmSync(join(folder, 'ballast'));
      store.add(many(10), []);
      assert.equal((await store.page({}, { limit: 100 })).flows.length, 11);
      assert.deepEqual(damaged, []);
    });
  });

  it('keeps all of a batch or nothing of it', async () => {
    const store = open();
    const wrong = flow({ time: 0.5 });
    assert.throws(() => store.add([flow(), wrong], []));
    assert.deepEqual((await store.page({}, { limit: 10 })).flows, []);
  });

  for (const [name, content] of [
    ['that is no database', 'this is not a database, but a long enough text to be one at first sight'.repeat(20)],
    ['of another version', null],
  ] as const)
    it(`begins a file ${name} anew, and says so`, async () => {
      if (content !== null) writeFileSync(file, content, { mode: 0o600 });
      else {
        const Database = (await import('better-sqlite3')).default;
        const db = new Database(file);
        db.pragma('user_version = 99');
        db.close();
      }
      const store = open();
      store.add([flow()], []);
      assert.equal(damaged.length, 1);
      assert.equal(store.size().rows, 1);
    });
});
