import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTrafficHistory } from '../../../src/core/traffic-history.ts';
import { createHistoryFile } from '../../../src/state/history-file.ts';

/** divisible by both steps */
const start = 1_795_500_000;
const rate = (rx: number, tx = 0) => ({ rx, tx });
const one = (rx: number, tx = 0) => new Map([['101/eth0', rate(rx, tx)]]);

describe('the history of traffic', () => {
  it('has a point for each step, and what it does not know between two that it does', () => {
    const history = createTrafficHistory();
    history.add(start, one(10, 1));
    history.add(start + 12, one(20, 2));
    history.add(start + 41, one(30, 3));
    assert.deepEqual(history.points('hour', start + 41), [
      { time: start, rxRate: 10, txRate: 1 },
      { time: start + 10, rxRate: 20, txRate: 2 },
      { time: start + 20, rxRate: null, txRate: null },
      { time: start + 30, rxRate: null, txRate: null },
      { time: start + 40, rxRate: 30, txRate: 3 },
    ]);
  });

  it('the day has the mean of five minutes', () => {
    const history = createTrafficHistory();
    for (let at = 0; at < 600; at += 10) history.add(start + at, one(at < 300 ? 100 : 7, at % 20));
    assert.deepEqual(history.points('day', start + 599), [
      { time: start, rxRate: 100, txRate: 5 },
      { time: start + 300, rxRate: 7, txRate: 5 },
    ]);
  });

  it('sums the interfaces that are asked for, whichever of them were there', () => {
    const history = createTrafficHistory();
    history.add(start, new Map([['101/eth0', rate(1)], ['101/eth1', rate(2)], ['102/eth0', rate(4)]])); // biome-ignore format: a table
    history.add(start + 10, new Map([['102/eth0', rate(8)]]));
    const rx = (isChosen?: (key: string) => boolean) => history.points('hour', start + 10, isChosen).map(({ rxRate }) => rxRate);
    assert.deepEqual(rx(), [7, 8]);
    assert.deepEqual(
      rx((key) => key.startsWith('101/')),
      [3, null],
    );
    assert.deepEqual(
      rx(() => false),
      [],
    );
  });

  it('holds an hour and a day, and forgets who was not seen for a day', () => {
    const history = createTrafficHistory();
    const day = 86_400;
    for (let at = 0; at < 2 * day; at += 10) history.add(start + at, at < 3600 ? one(1) : new Map([['102/eth0', rate(2)]]));
    const now = start + 2 * day - 1;
    const hour = history.points('hour', now);
    assert.deepEqual([hour.length, hour[0]?.time], [360, now + 1 - 3600]);
    assert.equal(history.points('day', now).length, 288);
    assert.deepEqual(history.save().keys, ['102/eth0']);
  });

  it('what is older than its length is not shown, though nothing came after it', () => {
    const history = createTrafficHistory();
    history.add(start, one(10));
    assert.equal(history.points('hour', start + 3590).length, 1);
    assert.equal(history.points('hour', start + 3600).length, 0);
    assert.equal(history.points('day', start + 86_000).length, 1);
    history.add(start + 100 * 86_400, one(1));
    assert.deepEqual(history.points('hour', start + 100 * 86_400), [{ time: start + 100 * 86_400, rxRate: 1, txRate: 0 }]);
  });

  it('follows no more interfaces than it was made for, and no time that goes back', () => {
    const history = createTrafficHistory(1);
    history.add(start + 10, one(1));
    history.add(start + 20, new Map([['102/eth0', rate(9)]]));
    history.add(start, one(5));
    assert.deepEqual(history.points('hour', start + 20), [
      { time: start + 10, rxRate: 1, txRate: 0 },
      { time: start + 20, rxRate: null, txRate: null },
    ]);
  });
});

describe('the file of the history', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pve-cni-history-'));
    path = join(folder, 'history');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const saved = () => {
    const history = createTrafficHistory();
    history.add(start, one(10, 1));
    history.add(start + 10, one(20, 2));
    return history;
  };

  it('brings it over a restart', async () => {
    const file = createHistoryFile(path);
    await file.write(saved().save());
    const read = await file.read();
    assert.ok(read);
    const history = createTrafficHistory();
    history.restore(read, start + 30);
    history.add(start + 30, one(40));
    assert.deepEqual(
      history.points('hour', start + 30).map(({ rxRate }) => rxRate),
      [10, 20, null, 40],
    );
  });

  it('from the future, or of more interfaces than are followed, it is left', () => {
    for (const [history, now] of [
      [createTrafficHistory(), start - 60],
      [createTrafficHistory(0), start + 60],
    ] as const) {
      history.restore(saved().save(), now);
      assert.deepEqual(history.save().keys, []);
    }
  });

  it('absent, cut, foreign, too large or a link: there is none', async () => {
    const file = createHistoryFile(path);
    assert.equal(await file.read(), null);
    await file.write(saved().save());
    const whole = readFileSync(path);
    for (const damaged of [
      whole.subarray(0, 20),
      whole.subarray(0, -3),
      Buffer.from('x\n'),
      Buffer.from('{"version":2}\n'),
      Buffer.alloc(33 * 1024 * 1024),
    ]) {
      writeFileSync(path, damaged);
      assert.equal(await file.read(), null, damaged.subarray(0, 20).toString());
    }
    writeFileSync(path, whole.subarray(0, -8));
    const cut = await file.read();
    const history = createTrafficHistory();
    if (cut) history.restore(cut, start + 60);
    assert.deepEqual(history.save().keys, [], 'rates that do not fit the names are left');
    rmSync(path);
    symlinkSync('/etc/hostname', path);
    assert.equal(await file.read(), null);
  });
});
