import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import type { Dependencies } from '../../../src/manager/dependencies.ts';
import { createOperations, type OperationContext, type OperationRequest, type Operations } from '../../../src/manager/operations.ts';
import { failure } from '../../../src/model/errors.ts';
import type { Operation } from '../../../src/model/operation.ts';
import { createTrace, currentTrace } from '../../../src/observe/tracing.ts';
import { openStore } from '../../../src/state/open-store.ts';
import type { Store } from '../../../src/state/store.ts';

describe('operations', () => {
  let folder: string;
  let store: Store;
  let operations: Operations;
  let ended: Operation[];
  let logged: string[];
  const trace = createTrace();

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pve-cni-operations-'));
    store = openStore({ file: join(folder, 'state.db') });
    ended = [];
    logged = [];
    const note = (_facts: object, message: string) => void logged.push(message);
    const deps = { store, trace, clock: Date.now, settings: { parallel: 2 }, log: { info: note, warn: note, error: note } };
    // an operation needs no more of them
    operations = createOperations({ ...deps, onOperation: (one: Operation) => ended.push(one) } as unknown as Dependencies);
  });
  afterEach(() => {
    store.close();
    rmSync(folder, { recursive: true });
  });

  const asked = (changes: Partial<OperationRequest> = {}): OperationRequest => ({
    kind: 'attach',
    vmid: 101,
    requester: { door: 'lxc-hook', user: 'root' },
    timeoutMs: 60_000,
    priority: 10,
    ...changes,
  });
  const row = (id: string) => store.operations.get(id);
  const rows = () => store.operations.list({ limit: 100 });
  /** work that goes on until it is let go, and says when it began */
  function held() {
    let letGo = () => {};
    let begun = () => {};
    const began = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const gate = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const work = () => {
      begun();
      return gate;
    };
    return { began, release: () => letGo(), work };
  }
  /** until everything that can go on has gone on */
  const settled = async () => {
    for (let turns = 0; turns < 10; turns++) await turn();
  };
  const aborted = ({ signal }: OperationContext) => once(signal, 'abort').then(() => Promise.reject(signal.reason));

  it('run one at a time for each container, and no more than the bound in all, whatever comes in which order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ vmid: fc.constantFrom(101, 102, 103, null), turns: fc.nat(3) }), { maxLength: 20 }),
        async (list) => {
          const running: (number | null)[] = [];
          let most = 0;
          await Promise.all(
            list.map(({ vmid, turns }) =>
              operations.run(asked({ vmid, lazy: true }), async () => {
                assert.ok(vmid === null || !running.includes(vmid), 'two of one container at once');
                running.push(vmid);
                most = Math.max(most, running.length);
                for (let left = turns; left > 0; left--) await turn();
                running.splice(running.indexOf(vmid), 1);
              }),
            ),
          );
          assert.ok(most <= 2);
          assert.equal(operations.pending(), 0);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('that wait for their container take nobody’s place', async () => {
    const first = held();
    const runs = [operations.run(asked(), first.work), operations.run(asked(), async () => {}), operations.run(asked(), async () => {})];
    await first.began;
    await operations.run(asked({ vmid: 102 }), async () => {});
    first.release();
    await Promise.all(runs);
  });

  it('go first whose door waits for them: hooks before people before the reconcile', async () => {
    const blocking = [held(), held()];
    const runs = blocking.map((one, index) => operations.run(asked({ vmid: 201 + index }), one.work));
    await Promise.all(blocking.map((one) => one.began));
    const order: number[] = [];
    for (const priority of [0, 5, 10])
      runs.push(operations.run(asked({ vmid: 101 + priority, priority }), async () => void order.push(priority)));
    await settled();
    for (const one of blocking) one.release();
    await Promise.all(runs);
    assert.deepEqual(order, [10, 5, 0]);
  });

  it('have a row that begins before the work and ends after it, with its spans', async () => {
    let during: Operation | null = null;
    const id = await operations.run(asked({ network: 'web' }), async (context) => {
      during = row(context.id);
      assert.equal(currentTrace()?.operationId, context.id);
      await trace('step:something', async () => {});
      context.changed('before', 'after');
      context.say('container 101 joins "web"');
      return context.id;
    });
    assert.equal((during as Operation | null)?.end, null);
    const after = row(id);
    assert.deepEqual(
      [after?.outcome, after?.message, after?.before, after?.after, after?.network],
      ['ok', 'container 101 joins "web"', 'before', 'after', 'web'],
    );
    assert.ok((after?.end ?? 0) >= (after?.begin ?? Number.POSITIVE_INFINITY));
    assert.deepEqual(
      after?.spans.map(({ name }) => name),
      ['queue', 'step:something'],
    );
    assert.deepEqual(
      ended.map((one) => one.id),
      [id],
    );
  });

  it('that failed have a row with the error; a start or a change is refused, anything else has failed', async () => {
    const error = failure('IPAM_POOL_EXHAUSTED', 'all are taken', { vmid: 101 });
    const outcomes = {
      prepare: 'refused',
      attach: 'refused',
      configure: 'refused',
      detach: 'failed',
      reconcile: 'failed',
      gc: 'failed',
    } as const;
    for (const [kind, outcome] of Object.entries(outcomes)) {
      await assert.rejects(
        operations.run(asked({ kind: kind as Operation['kind'] }), () => Promise.reject(error)),
        error,
      );
      assert.deepEqual([rows()[0]?.outcome, rows()[0]?.error?.code], [outcome, 'IPAM_POOL_EXHAUSTED']);
    }
    await assert.rejects(
      operations.run(asked(), () => Promise.reject(new TypeError('x is undefined'))),
      { code: 'INTERNAL' },
    );
  });

  it('that are lazy have no row unless they did something', async () => {
    await operations.run(asked({ lazy: true }), async ({ say }) => say('nothing to do'));
    await assert.rejects(operations.run(asked({ lazy: true }), () => Promise.reject(failure('NETNS_GONE', 'gone'))));
    assert.deepEqual([rows(), ended], [[], []]);
    await operations.run(asked({ lazy: true }), async ({ record }) => {
      record();
      record();
    });
    assert.deepEqual(
      rows().map(({ outcome }) => outcome),
      ['ok'],
    );
  });

  it('that pass their deadline end as OPERATION_TIMEOUT, which keeps what was tried last', async () => {
    const late = operations.run(asked({ timeoutMs: 20 }), (context) =>
      aborted(context).catch(() => {
        throw failure('CNI_CANCELLED', 'ADD of eth0 was given up', { plugin: 'bridge' });
      }),
    );
    await assert.rejects(late, { code: 'OPERATION_TIMEOUT', message: /0\.02 s.*ADD of eth0 was given up/, context: { plugin: 'bridge' } });
    assert.deepEqual([rows()[0]?.outcome, rows()[0]?.error?.code], ['cancelled', 'OPERATION_TIMEOUT']);
  });

  it('whose time was spent waiting never begin', async () => {
    const first = held();
    const running = operations.run(asked(), first.work);
    await first.began;
    const late = operations.run(asked({ timeoutMs: 10 }), () => assert.fail('it ran'));
    late.catch(() => {});
    await once(AbortSignal.timeout(15), 'abort');
    first.release();
    await assert.rejects(late, { code: 'OPERATION_TIMEOUT' });
    await running;
    assert.equal(rows().filter(({ end }) => end === null).length, 0);
  });

  it('whose client goes away end as CNI_CANCELLED', async () => {
    const client = new AbortController();
    const given_up = operations.run(asked({ signal: client.signal }), aborted);
    await settled();
    client.abort();
    await assert.rejects(given_up, { code: 'CNI_CANCELLED' });
    assert.deepEqual([rows()[0]?.outcome, rows()[0]?.error?.code], ['cancelled', 'CNI_CANCELLED']);
  });

  it('leave nothing in the signal of a client that asks for many', async () => {
    const client = new AbortController();
    for (let vmid = 200; vmid < 205; vmid += 1) await operations.run(asked({ vmid, signal: client.signal }), async () => {});
    assert.equal(getEventListeners(client.signal, 'abort').length, 0);
  });

  it('whose client went away before their turn never begin', async () => {
    await assert.rejects(
      operations.run(asked({ signal: AbortSignal.abort() }), () => assert.fail('it ran')),
      { code: 'CNI_CANCELLED' },
    );
  });

  it('D51 an audit log that cannot be written does not hide the error that is to be told', async () => {
    const error = failure('CNI_PLUGIN_FAILED', 'bridge said no');
    const refused = operations.run(asked(), async () => {
      // every write fails from here on, as on a full disk
      store.close();
      throw error;
    });
    await assert.rejects(refused, error);
    assert.ok(logged.includes('cannot write the audit log'));
    assert.equal(operations.pending(), 0);
    store = openStore({ file: join(folder, 'state.db') });
    assert.equal(store.operations.open().length, 1, 'the next start of the service ends it');
  });

  it('D51 nothing is begun whose begin cannot be written down', async () => {
    store.close();
    await assert.rejects(operations.run(asked(), () => assert.fail('it ran')));
    store = openStore({ file: join(folder, 'state.db') });
    assert.deepEqual(rows(), []);
  });

  it('are let in no more once the service stops, and those that run may end', async () => {
    const first = held();
    const running = operations.run(asked(), first.work);
    await first.began;
    operations.close();
    await assert.rejects(
      operations.run(asked({ vmid: 102 }), () => assert.fail('it ran')),
      { code: 'SERVICE_STOPPING' },
    );
    const drained = operations.drain(60_000);
    first.release();
    await drained;
    await running;
    assert.equal(rows()[0]?.outcome, 'ok');
  });

  it('that do not end in the time of grace are aborted, and their undoing is waited for', async () => {
    let undone = false;
    const running = operations.run(asked(), (context) =>
      aborted(context).finally(async () => {
        await settled();
        undone = true;
      }),
    );
    running.catch(() => {});
    operations.close();
    await operations.drain(10);
    assert.ok(undone);
    await assert.rejects(running, { code: 'CNI_CANCELLED' });
    assert.equal(rows()[0]?.outcome, 'cancelled');
  });
});
