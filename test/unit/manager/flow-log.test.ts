import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { createFlowLog, type FlowLog } from '../../../src/manager/flow-log.ts';
import { failure } from '../../../src/model/errors.ts';
import type { FlowNews } from '../../../src/model/flow.ts';
import type { FlowStore } from '../../../src/state/flow-store.ts';
import { createFlowStore } from '../../../src/state/open-flow-store.ts';
import { flow } from '../flow-fixture.ts';

describe('the log of flows', () => {
  let folder = '';
  let store: FlowStore;
  let limits = { retentionDays: 7, maxMegabytes: 512 };
  let now = 2_000_000;
  const logs: FlowLog[] = [];
  const quiet = { info: () => {}, warn: () => {}, error: () => {} };
  const create = (given = store) => {
    const log = createFlowLog({ store: given, limits: () => limits, clock: () => now, log: quiet });
    logs.push(log);
    return log;
  };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pve-cni-flows-'));
    store = createFlowStore({ file: join(folder, 'flows.db'), onDamaged: () => {} });
    limits = { retentionDays: 7, maxMegabytes: 512 };
    now = 2_000_000;
  });
  afterEach(() => {
    for (const log of logs.splice(0)) log.stop();
    store.close();
    rmSync(folder, { recursive: true });
  });

  /** A store that fails while `broken`; the rest is the real one. */
  const breakable = () => {
    const state = { broken: true };
    const add: FlowStore['add'] = (...given) => {
      if (state.broken) throw failure('STATE_WRITE_FAILED', 'the disk is full');
      store.add(...given);
    };
    return { state, store: { ...store, add } };
  };

  it('shows what still waits to be written', async () => {
    const log = create();
    log.take(flow());
    assert.equal((await log.page({}, { limit: 10 })).flows.length, 1);
  });

  it('writes in batches, and the rest when it stops', async () => {
    const batches: number[] = [];
    const add: FlowStore['add'] = (flows, losses) => {
      batches.push(flows.length);
      store.add(flows, losses);
    };
    const log = create({ ...store, add });
    for (let index = 0; index < 620; index++) {
      log.take(flow({ time: index }));
      if (index === 560) await turn();
    }
    log.stop();
    assert.deepEqual(batches, [500, 61, 59]);
    assert.equal(store.size().rows, 620);
  });

  it('counts what does not fit, and memory stays where it is', async () => {
    const log = create();
    const before = process.memoryUsage().heapUsed;
    // all in one turn of the loop, so that no batch can be written meanwhile
    for (let index = 0; index < 500_000; index++) log.take(flow({ time: index }));
    const grown = process.memoryUsage().heapUsed - before;
    await log.page({}, { limit: 1 });
    assert.equal(log.counts().lost.queue, 495_000);
    assert.equal(log.counts().kept, 5000);
    assert.deepEqual(log.losses(0), [{ place: 'queue', since: 5000, until: 499_999, count: 495_000 }]);
    assert.ok(grown < 150 * 1024 * 1024, `${grown} bytes`);
  });

  it('loses what cannot be written, goes on, and remembers how much when it can again', async () => {
    const { state, store: failing } = breakable();
    const log = create(failing);
    for (let index = 0; index < 3; index++) log.take(flow({ time: 100 + index }));
    await log.page({}, { limit: 1 });
    assert.equal(log.counts().lost.store, 3);
    assert.match(log.counts().problem ?? '', /disk is full/);
    state.broken = false;
    log.take(flow({ time: 200 }));
    assert.equal((await log.page({}, { limit: 10 })).flows.length, 1);
    assert.deepEqual(log.losses(0), [{ place: 'store', since: 100, until: 102, count: 3 }]);
    assert.equal(log.counts().problem, null);
  });

  it('keeps nothing with retentionDays 0, and still tells followers', async () => {
    limits = { ...limits, retentionDays: 0 };
    const log = create();
    assert.equal(log.wanted(), false);
    const ended = new AbortController();
    const news = log.follow({}, ended.signal);
    assert.equal(log.wanted(), true);
    log.take(flow());
    assert.equal((await news.next()).value?.type, 'flow');
    ended.abort();
    assert.equal(log.wanted(), false);
    assert.deepEqual((await log.page({}, { limit: 10 })).flows, []);
  });

  it('counts drops by reason, a bounded number of reasons', () => {
    const log = create();
    for (let index = 0; index < 300; index++) log.take(flow({ verdict: 'dropped', reason: `reason ${index}` }));
    log.take(flow({ verdict: 'dropped', reason: 'reason 1' }));
    const { drops } = log.counts();
    assert.equal(drops.get('reason 1'), 2);
    assert.equal(drops.get('other'), 200);
    assert.equal(drops.size, 101);
  });

  it('counts what each policy decided, a bounded number of policies', () => {
    const log = create();
    for (let index = 0; index < 600; index++) log.take(flow({ policies: [`p${index}`] }));
    log.take(flow({ policies: ['p1', 'p2'], verdict: 'dropped' }));
    const { policies } = log.counts();
    assert.deepEqual(
      [...(policies.get('p1') ?? [])],
      [
        ['forwarded', 1],
        ['dropped', 1],
      ],
    );
    assert.equal(policies.get('other')?.get('forwarded'), 100);
    assert.equal(policies.size, 501);
  });

  describe('a follower', () => {
    const read = async (news: AsyncGenerator<FlowNews>, count: number) => {
      const all: FlowNews[] = [];
      while (all.length < count) {
        const { value, done } = await news.next();
        if (done) break;
        all.push(value);
      }
      return all;
    };

    it('gets what matches, in order, and losses', async () => {
      const log = create();
      const news = log.follow({ verdict: ['dropped'] }, new AbortController().signal);
      log.take(flow());
      log.take(flow({ verdict: 'dropped', reason: 'a' }));
      log.lose({ place: 'kernel', since: 1, until: 2, count: 3 });
      log.take(flow({ verdict: 'dropped', reason: 'b' }));
      const all = await read(news, 3);
      assert.deepEqual(
        all.map((one) => (one.type === 'flow' ? one.flow.reason : one.loss.count)),
        ['a', 3, 'b'],
      );
    });

    it('that is slow loses, is told how much, and does not hold up others', async () => {
      const log = create();
      const slow = log.follow({}, new AbortController().signal);
      const quick = log.follow({}, new AbortController().signal);
      for (let index = 0; index < 2500; index++) log.take(flow({ time: index }));
      assert.equal((await read(quick, 2001)).at(-1)?.type, 'loss');
      const all = await read(slow, 2001);
      assert.deepEqual(all.at(-1), { type: 'loss', loss: { place: 'follower', since: now, until: now, count: 500 } });
      log.take(flow({ time: 9999 }));
      const [next] = await read(slow, 1);
      assert.equal(next?.type === 'flow' && next.flow.time, 9999);
    });

    it('ends with its signal, and with the service, after what it has not read yet', async () => {
      const log = create();
      const ended = new AbortController();
      const gone = log.follow({}, ended.signal);
      const waiting = gone.next();
      ended.abort();
      assert.equal((await waiting).done, true);
      const stays = log.follow({}, new AbortController().signal);
      log.take(flow());
      log.stop();
      assert.equal((await read(stays, 5)).length, 1);
    });
  });
});
