import assert from 'node:assert/strict';
import { StateError } from '../../../src/model/errors.ts';
import { attachment, operation } from './records.ts';
import { useFolder } from './support.ts';

describe('the store', () => {
  const files = useFolder();

  it('keeps everything over a close and a new opening', () => {
    const first = files.open(files.path('a', 'state.db'));
    const life = {
      vmid: 101,
      generation: 3,
      containerId: 'c',
      bootId: 'b',
      initPid: 7,
      initStartTime: '123',
      netnsPath: '/run/netns/ct101',
    };
    const span = { id: 's', parent: null, name: 'step:add', start: 1.25, durationMs: 2 };
    const { id: _id, ...debt } = {
      id: 0,
      vmid: 101,
      ifname: 'eth0',
      network: 'web',
      containerId: 'c',
      request: attachment(101).request,
      result: null,
      reason: { class: 'CNIError', code: 'CNI_PLUGIN_FAILED', message: 'no', retryable: true, context: { vmid: 101 } },
      attempts: 1,
      since: 1,
      nextTryAt: 2,
    };
    const reservation = {
      network: 'web',
      address: '10.20.0.10',
      vmid: 101,
      ifname: 'eth0',
      state: 'reserved' as const,
      since: 1,
      releaseAt: null,
    };
    first.lives.put(life);
    first.attachments.put(attachment(101));
    const owed = first.debts.add(debt);
    first.addresses.put(reservation);
    first.operations.begin(operation('o1'));
    first.operations.end(operation('o1', { end: 2000, outcome: 'ok', spans: [span] }));
    first.configuration.put('networks/web.yaml', 'type: bridge\n');
    first.seen.add(101);
    first.close();

    const again = files.open(files.path('a', 'state.db'));
    assert.equal(again.rebuilt, null);
    assert.deepEqual(again.lives.list(), [life]);
    assert.deepEqual(again.attachments.list(), [attachment(101)]);
    assert.deepEqual(again.debts.list(), [owed]);
    assert.deepEqual(again.addresses.list(), [reservation]);
    assert.deepEqual(again.operations.get('o1')?.spans, [span]);
    assert.deepEqual(again.configuration.list(), [{ file: 'networks/web.yaml', text: 'type: bridge\n' }]);
    assert.deepEqual(again.seen.list(), [101]);
  });

  it('remembers the newest generation of a vmid after its life is removed', () => {
    const store = files.open();
    assert.equal(store.lives.lastGeneration(101), 0);
    const life = {
      vmid: 101,
      generation: 4,
      containerId: 'c',
      bootId: 'b',
      initPid: 7,
      initStartTime: '1',
      netnsPath: '',
    };
    store.lives.put(life);
    store.lives.remove(101);
    assert.equal(store.lives.get(101), null);
    assert.deepEqual(store.lives.list(), []);
    assert.equal(store.lives.lastGeneration(101), 4);
    store.lives.put({ ...life, generation: 5 });
    assert.equal(store.lives.lastGeneration(101), 5);
  });

  it('lets an attachment move only as the table of moves says', () => {
    const store = files.open();
    const refused = (phase: 'attached' | 'degraded' | 'removing') =>
      assert.throws(() => store.attachments.put(attachment(101, { phase })), { name: 'StateError', code: 'INTERNAL' });
    refused('attached');
    refused('removing');
    store.attachments.put(attachment(101));
    refused('degraded');
    store.attachments.put(attachment(101, { phase: 'attached' }));
    store.attachments.put(attachment(101, { phase: 'degraded' }));
    store.attachments.put(attachment(101, { phase: 'removing' }));
    refused('attached');
    store.attachments.remove(101, 'eth0');
    assert.equal(store.attachments.get(101, 'eth0'), null);
  });

  it('finds attachments by container, by network, and by both', () => {
    const store = files.open();
    store.attachments.put(attachment(101));
    store.attachments.put(attachment(101, { ifname: 'eth1', network: 'db' }));
    store.attachments.put(attachment(102, { network: 'db' }));
    const names = (filter?: { vmid?: number; network?: string }) =>
      store.attachments.list(filter).map((one) => `${one.vmid}.${one.ifname}`);
    assert.deepEqual(names(), ['101.eth0', '101.eth1', '102.eth0']);
    assert.deepEqual(names({ vmid: 101 }), ['101.eth0', '101.eth1']);
    assert.deepEqual(names({ network: 'db' }), ['101.eth1', '102.eth0']);
    assert.deepEqual(names({ vmid: 101, network: 'db' }), ['101.eth1']);
    assert.deepEqual(
      store.attachments.brief().map(({ vmid, ifname, network, phase }) => [vmid, ifname, network, phase]),
      store.attachments.list().map(({ vmid, ifname, network, phase }) => [vmid, ifname, network, phase]),
    );
  });

  it('refuses an address that another interface has, and names the owner', () => {
    const store = files.open();
    const one = { network: 'web', address: '10.20.0.10', vmid: 101, ifname: 'eth0', state: 'reserved' as const, since: 1, releaseAt: null };
    store.addresses.put(one);
    store.addresses.put({ ...one, state: 'kept', releaseAt: 5 });
    assert.throws(() => store.addresses.put({ ...one, vmid: 102 }), { code: 'IPAM_ADDRESS_TAKEN', message: /container 101 has it/ });
    assert.deepEqual(store.addresses.taken('web'), new Set(['10.20.0.10']));
    assert.deepEqual(store.addresses.taken('db'), new Set());
    assert.deepEqual(store.addresses.list({ vmid: 102 }), []);
    assert.equal(store.addresses.list({ network: 'web' }).length, 1);
  });

  it('lists operations newest first and without spans, in the order of their begins even when the clock jumps back', () => {
    const store = files.open();
    const span = { id: 's', parent: null, name: 'x', start: 1, durationMs: 1 };
    for (const [id, begin, vmid] of [
      ['a', 5000, 101],
      ['b', 9000, 102],
      ['c', 1000, 101],
    ] as const)
      store.operations.begin(operation(id, { begin, vmid, spans: [span] }));
    assert.deepEqual(
      store.operations.list({ limit: 10 }).map((one) => [one.id, one.spans.length]),
      [
        ['c', 0],
        ['b', 0],
        ['a', 0],
      ],
    );
    assert.deepEqual(
      store.operations.list({ limit: 1, vmid: 101 }).map((one) => one.id),
      ['c'],
    );
    assert.deepEqual(
      store.operations.list({ limit: 10, before: 'c' }).map((one) => one.id),
      ['b', 'a'],
    );
    assert.deepEqual(
      store.operations.list({ limit: 10, before: 'b', vmid: 101 }).map((one) => one.id),
      ['a'],
    );
    assert.deepEqual(store.operations.list({ limit: 10, before: 'pruned' }), []);
    assert.equal(store.operations.get('a')?.spans.length, 1);
  });

  it('lists no texts of configuration, which may be large', () => {
    const store = files.open();
    store.operations.begin(operation('a', { before: 'old', after: 'new' }));
    const [listed] = store.operations.list({ limit: 1 });
    assert.deepEqual([listed?.before, listed?.after, store.operations.get('a')?.after], [null, null, 'new']);
  });

  it('says how long attaches and detaches took that have ended, newest first', () => {
    const store = files.open();
    const ended = (id: string, kind: 'attach' | 'detach' | 'gc', begin: number, outcome: 'ok' | 'refused') => {
      store.operations.begin(operation(id, { kind, begin }));
      store.operations.end(operation(id, { kind, begin, end: begin + 5, outcome }));
    };
    ended('old', 'attach', 100, 'ok');
    ended('a', 'attach', 1000, 'refused');
    ended('g', 'gc', 1100, 'ok');
    ended('d', 'detach', 1200, 'ok');
    store.operations.begin(operation('open', { kind: 'attach', begin: 1300 }));
    const detach = { kind: 'detach', begin: 1200, end: 1205, failed: false };
    assert.deepEqual(store.operations.ended(500, 10), [detach, { kind: 'attach', begin: 1000, end: 1005, failed: true }]);
    assert.deepEqual(store.operations.ended(500, 1), [detach]);
  });

  it('knows the operations that never ended, and prunes only ended ones', () => {
    const store = files.open();
    store.operations.begin(operation('a'));
    store.operations.begin(operation('b'));
    store.operations.end(operation('a', { end: 1500, outcome: 'ok' }));
    assert.deepEqual(
      store.operations.open().map((one) => one.id),
      ['b'],
    );
    assert.equal(store.operations.prune(1500), 0);
    assert.equal(store.operations.prune(1501), 1);
    assert.equal(store.operations.get('a'), null);
    assert.throws(() => store.operations.end(operation('a', { end: 1 })), { code: 'OPERATION_UNKNOWN' });
  });

  it('undoes every change of a transaction that throws, and passes the error on', () => {
    const store = files.open();
    const reason = new Error('no');
    assert.throws(
      () =>
        store.transaction(() => {
          store.attachments.put(attachment(101));
          store.seen.add(101);
          throw reason;
        }),
      (thrown) => thrown === reason,
    );
    assert.deepEqual(store.attachments.list(), []);
    assert.deepEqual(store.seen.list(), []);
    const answer = store.transaction(() => store.transaction(() => 42));
    assert.equal(answer, 42);
  });

  it('refuses a transaction whose work is asynchronous, since it would commit before the work is done', () => {
    const store = files.open();
    assert.throws(() => store.transaction(async () => store.seen.add(101)));
    assert.deepEqual(store.seen.list(), []);
  });

  it('says clearly that another process holds the file, and changes nothing', function () {
    this.timeout(20_000);
    const store = files.open();
    const other = files.open();
    other.transaction(() => {
      assert.throws(
        () => store.seen.add(1),
        (error) => error instanceof StateError && error.code === 'STATE_WRITE_FAILED' && /another process holds/.test(error.message),
      );
    });
    assert.deepEqual(store.seen.list(), []);
  });
});
