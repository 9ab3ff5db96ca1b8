import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { createReservations, type Reservations } from '../../../src/state/reservations.ts';
import type { Store } from '../../../src/state/store.ts';
import { useFolder } from './support.ts';

const four = { cidr: '10.20.0.0/24', gateway: '10.20.0.1' };
const six = { cidr: 'fd00:20::/64' };
const tiny = { cidr: '10.30.0.0/30' };
const dayMs = 24 * 3600_000;

describe('reservations', () => {
  const files = useFolder();
  let store: Store;
  let one: Reservations;
  let writable: boolean;
  let now: number;
  const file = (address: string, network = 'web') => files.path('root', 'addresses', network, address);
  const claimIn = (address: string) => JSON.parse(readFileSync(file(address), 'utf8'));
  const names = (network = 'web') => readdirSync(files.path('root', 'addresses', network)).sort();
  const node = (name: string, itsStore = files.open(files.path(name, 'state.db'))) =>
    createReservations({ root: files.path('root'), store: itsStore, clock: () => now, writable: () => writable, shared: true, node: name });
  const auto = (vmid: number, ifname = 'eth0') => ({ vmid, ifname, wanted: 'auto' as const });
  const age = (address: string, ms: number) => utimesSync(file(address), (now - ms) / 1000, (now - ms) / 1000);

  beforeEach(() => {
    mkdirSync(files.path('root'));
    writable = true;
    now = Date.now();
    store = files.open(files.path('a', 'state.db'));
    one = node('a', store);
  });

  it('gives one address of each family, and the same again', async () => {
    const subnets = [six, four, { cidr: '10.40.0.0/24' }];
    assert.deepEqual(await one.reserve('web', subnets, auto(101)), ['fd00:20::1', '10.20.0.2']);
    assert.deepEqual(await one.reserve('web', subnets, auto(101)), ['fd00:20::1', '10.20.0.2']);
    assert.deepEqual(await one.reserve('web', subnets, auto(101, 'eth1')), ['fd00:20::2', '10.20.0.3']);
    assert.deepEqual(names(), ['10.20.0.2', '10.20.0.3', 'fd00:20::1', 'fd00:20::2']);
    const { attempt, ...claim } = claimIn('10.20.0.2');
    assert.deepEqual(claim, { vmid: 101, ifname: 'eth0', node: 'a', since: now, releaseAt: null });
    assert.match(attempt, /^[0-9a-f-]{36}$/);
    assert.deepEqual(await one.reserve('layer2', [], auto(101)), []);
  });

  it('keeps an interface’s address when the range is narrowed, and gives another when the subnet is gone', async () => {
    assert.deepEqual(await one.reserve('web', [four], auto(101)), ['10.20.0.2']);
    assert.deepEqual(await one.reserve('web', [{ ...four, range: '10.20.0.9-10.20.0.20' }], auto(101)), ['10.20.0.2']);
    assert.deepEqual(await one.reserve('web', [tiny], auto(101)), ['10.30.0.1']);
    assert.deepEqual(names(), ['10.20.0.2', '10.30.0.1'], 'the old one may be in use until it is released');
  });

  it('claims fixed addresses as they are, in canonical text', async () => {
    const wanted = { vmid: 101, ifname: 'eth0', wanted: ['FD00:20:0::9', '10.20.0.50'] };
    assert.deepEqual(await one.reserve('web', [four, six], wanted), ['fd00:20::9', '10.20.0.50']);
    assert.deepEqual(await one.reserve('web', [four, six], wanted), ['fd00:20::9', '10.20.0.50']);
    for (const address of ['10.20.0.1', '10.20.0.0', '10.99.0.1', '../x'])
      await assert.rejects(one.reserve('web', [four], { ...wanted, wanted: [address] }), { code: 'IPAM_ADDRESS_OUTSIDE' });
  });

  it('D57 two containers claim the same address: one has it, the other is told who', async () => {
    const claim = (vmid: number, who = one) => who.reserve('web', [four], { vmid, ifname: 'eth0', wanted: ['10.20.0.50'] });
    const outcomes = await Promise.allSettled([claim(101), claim(102), claim(103, node('b'))]);
    const lost = outcomes.filter((outcome) => outcome.status === 'rejected');
    assert.equal(lost.length, 2);
    const owner = claimIn('10.20.0.50').vmid;
    for (const { reason } of lost) {
      assert.equal(reason.code, 'IPAM_ADDRESS_TAKEN');
      assert.match(reason.message, new RegExp(`container ${owner} has it|try again`));
    }
  });

  it('gives back what was newly made when one of several is refused', async () => {
    await one.reserve('web', [four], { vmid: 101, ifname: 'eth0', wanted: ['10.20.0.50'] });
    await assert.rejects(one.reserve('web', [four, six], { vmid: 102, ifname: 'eth0', wanted: ['fd00:20::9', '10.20.0.50'] }), {
      code: 'IPAM_ADDRESS_TAKEN',
      context: { network: 'web', address: '10.20.0.50', vmid: 102, owner: 101 },
    });
    assert.deepEqual(names(), ['10.20.0.50']);
    assert.deepEqual(store.addresses.list({ vmid: 102 }), []);
  });

  it('goes on to the next subnet of the family when the first is full', async () => {
    const subnets = [tiny, { cidr: '10.30.1.0/30' }];
    const given: string[][] = [];
    for (const vmid of [101, 102, 103]) given.push(await one.reserve('web', subnets, auto(vmid)));
    assert.deepEqual(given, [['10.30.0.1'], ['10.30.0.2'], ['10.30.1.1']]);
  });

  it('D60 pool exhausted: a clear error, and nothing leaks in 1,000 tries', async () => {
    await one.reserve('web', [tiny], auto(101));
    await one.reserve('web', [tiny], auto(102));
    for (let round = 0; round < 1000; round++)
      await assert.rejects(one.reserve('web', [six, tiny], auto(200 + round)), { name: 'IPAMError', code: 'IPAM_POOL_EXHAUSTED' });
    assert.deepEqual(names(), ['10.30.0.1', '10.30.0.2']);
    assert.equal(store.addresses.list().length, 2);
    await one.release('web', '10.30.0.1');
    assert.deepEqual(await one.reserve('web', [tiny], auto(200)), ['10.30.0.1']);
  });

  it('D58 the root takes no changes: what exists works, what is new is refused and nothing is released', async () => {
    await one.reserve('web', [four], auto(101));
    writable = false;
    assert.deepEqual(await one.reserve('web', [four], auto(101)), ['10.20.0.2']);
    rmSync(files.path('root', 'addresses'), { recursive: true });
    assert.deepEqual(await one.reserve('web', [four], auto(101)), ['10.20.0.2'], 'not mounted is not the same as deleted');
    const refusals = [
      () => one.reserve('web', [four], auto(102)),
      () => one.release('web', '10.20.0.2'),
      () => one.releaseFor(101),
      () => one.keep(101, now),
      () => one.reclaim(101),
    ];
    for (const change of refusals) await assert.rejects(change, { code: 'IPAM_READ_ONLY' });
    assert.deepEqual(await one.expire(now + dayMs), []);
    assert.deepEqual(await one.load(), []);
    assert.equal(store.addresses.list().length, 1);
  });

  it('refuses when the root is missing, and does not make it', async () => {
    rmSync(files.path('root'), { recursive: true });
    await assert.rejects(one.reserve('web', [four], auto(101)), { code: 'IPAM_READ_ONLY' });
    assert.ok(!existsSync(files.path('root')));
    assert.deepEqual(store.addresses.list(), []);
  });

  it('keeps the addresses of a destroyed container from everybody, a new one of its number included', async () => {
    await one.reserve('web', [tiny], auto(101));
    await one.keep(101, now + dayMs);
    assert.equal(claimIn('10.30.0.1').releaseAt, now + dayMs);
    assert.deepEqual(await one.reserve('web', [tiny], auto(101)), ['10.30.0.2']);
    await assert.rejects(one.reserve('web', [tiny], auto(102)), { code: 'IPAM_POOL_EXHAUSTED' });
    await assert.rejects(one.reserve('web', [tiny], { vmid: 102, ifname: 'eth0', wanted: ['10.30.0.1'] }), {
      code: 'IPAM_ADDRESS_TAKEN',
      message: /kept for container 101/,
    });
    await one.release('web', '10.30.0.2');
    await one.reclaim(101);
    assert.deepEqual(await one.reserve('web', [tiny], auto(101)), ['10.30.0.1']);
  });

  it('frees kept addresses when their time has come, not before, and never one that another node gave back', async () => {
    await one.reserve('web', [tiny], auto(101));
    await one.keep(101, now + dayMs);
    assert.deepEqual(await one.expire(now + dayMs - 1), []);
    const other = node('b');
    await other.load();
    await other.reclaim(101);
    assert.deepEqual(await one.expire(now + dayMs), []);
    await other.keep(101, now + dayMs);
    assert.deepEqual(
      (await other.expire(now + dayMs)).map((row) => row.address),
      ['10.30.0.1'],
    );
    assert.deepEqual(names(), []);
  });

  it('D52 the clock jumps a day in both directions: no reserved address is affected, kept ones stay kept', async () => {
    await one.reserve('web', [four], auto(101));
    await one.reserve('web', [four], auto(102));
    await one.keep(102, now + 7 * dayMs);
    for (const jump of [dayMs, -dayMs, -dayMs, dayMs]) {
      now += jump;
      assert.deepEqual(await one.expire(now), []);
      assert.deepEqual(await one.load(), []);
      assert.deepEqual(await one.reserve('web', [four], auto(101)), ['10.20.0.2']);
    }
    assert.deepEqual(names(), ['10.20.0.2', '10.20.0.3']);
  });

  it('releases what a container has, or one interface of it', async () => {
    await one.reserve('web', [four], auto(101));
    await one.reserve('db', [four], auto(101, 'eth1'));
    await one.reserve('web', [four], auto(102));
    await one.releaseFor(101, 'eth1');
    assert.deepEqual(names('db'), []);
    await one.releaseFor(101);
    assert.deepEqual(names(), ['10.20.0.3']);
    await one.releaseFor(101);
    await one.release('web', '10.20.0.99');
  });

  describe('on several nodes', () => {
    it('a container that migrated keeps its address, which follows it to the node', async () => {
      const other = node('b');
      await one.reserve('web', [four], auto(101));
      assert.deepEqual(await other.reserve('web', [four], auto(101)), ['10.20.0.2']);
      assert.deepEqual(await other.reserve('web', [four], auto(101)), ['10.20.0.2']);
      assert.equal(claimIn('10.20.0.2').node, 'b');
      await one.load();
      await other.releaseFor(101);
      assert.deepEqual(await one.load(), [], 'the first node does not bring it back');
      assert.deepEqual(names(), []);
    });

    it('a node that has not looked since releases nothing that another took over, or keeps for who was destroyed', async () => {
      const otherStore = files.open(files.path('b', 'state.db'));
      const other = node('b', otherStore);
      await one.reserve('web', [four], auto(101));
      await one.reserve('web', [four], auto(102));
      await other.reserve('web', [four], auto(101));
      await other.keep(102, now + dayMs);
      for (const address of ['10.20.0.2', '10.20.0.3']) await one.release('web', address);
      assert.deepEqual(names(), ['10.20.0.2', '10.20.0.3']);
      assert.deepEqual(
        store.addresses.list().map(({ address, state, node }) => [address, state, node]),
        [
          ['10.20.0.2', 'reserved', 'b'],
          ['10.20.0.3', 'kept', 'b'],
        ],
        'it knows by then',
      );
    });

    it('a node sees what others reserved, kept and released when it looks', async () => {
      const other = node('b');
      await one.reserve('web', [four], auto(101));
      await other.reserve('web', [four], auto(102));
      await other.reserve('web', [four], auto(103));
      await one.follow();
      assert.deepEqual(
        store.addresses.list().map(({ vmid, node }) => [vmid, node]),
        [
          [101, 'a'],
          [102, 'b'],
          [103, 'b'],
        ],
      );
      await other.keep(102, now + dayMs);
      await other.releaseFor(103);
      await one.follow();
      assert.deepEqual(
        store.addresses.list().map(({ vmid, state }) => [vmid, state]),
        [
          [101, 'reserved'],
          [102, 'kept'],
        ],
      );
    });

    it('a container that comes back finds that its old address was given away, and gets another', async () => {
      const other = node('b');
      await one.reserve('web', [four], auto(101));
      await other.load();
      await other.releaseFor(101);
      await other.reserve('web', [four], { vmid: 102, ifname: 'eth0', wanted: ['10.20.0.2'] });
      assert.deepEqual(await one.reserve('web', [four], auto(101)), ['10.20.0.3']);
    });

    it('nodes that reserve at once never give one address twice', async () => {
      const nodes = ['a', 'b', 'c'].map((name) => (name === 'a' ? one : node(name)));
      const given = await Promise.all(
        Array.from({ length: 60 }, (_, number) => (nodes[number % 3] as Reservations).reserve('web', [four, six], auto(100 + number))),
      );
      assert.equal(new Set(given.flat()).size, 120);
      assert.equal(names().length, 120);
    });
  });

  describe('after a crash', () => {
    const row = (address: string, vmid: number) => ({
      ...{ network: 'web', address, vmid, ifname: 'eth0', state: 'reserved' as const, since: now, releaseAt: null, node: 'a' },
    });
    const kinds = async () => (await one.load()).map((finding) => `${finding.kind} ${finding.address}`);

    it('before the file was made: it is made', async () => {
      store.addresses.put(row('10.20.0.9', 101));
      assert.deepEqual(await kinds(), ['recreated 10.20.0.9']);
      assert.equal(claimIn('10.20.0.9').vmid, 101);
      assert.deepEqual(await kinds(), []);
    });

    it('before the file was made, and another node made it: the file counts', async () => {
      store.addresses.put(row('10.20.0.9', 101));
      await node('b').reserve('web', [four], { vmid: 102, ifname: 'eth0', wanted: ['10.20.0.9'] });
      assert.deepEqual(await kinds(), ['lost 10.20.0.9']);
      assert.deepEqual(await one.reserve('web', [four], auto(101)), ['10.20.0.2']);
      assert.equal(store.addresses.get('web', '10.20.0.9')?.vmid, 102);
    });

    it('before the file was written: taken for a minute, then healed by the node whose index names it', async () => {
      await one.reserve('web', [four], auto(100));
      store.addresses.put(row('10.20.0.9', 101));
      writeFileSync(file('10.20.0.9'), '');
      age('10.20.0.9', 59_000);
      assert.deepEqual(await kinds(), []);
      await assert.rejects(one.reserve('web', [four], auto(101)), { code: 'IPAM_ADDRESS_TAKEN', message: /try again/ });
      await assert.rejects(one.reserve('web', [four], { vmid: 102, ifname: 'eth0', wanted: ['10.20.0.9'] }), {
        code: 'IPAM_ADDRESS_TAKEN',
      });
      age('10.20.0.9', 61_000);
      assert.deepEqual(await kinds(), ['healed 10.20.0.9']);
      assert.deepEqual(await one.reserve('web', [four], auto(101)), ['10.20.0.9']);
    });

    describe('where no other node writes', () => {
      let alone: Reservations;
      beforeEach(async () => {
        alone = createReservations({ root: files.path('root'), store, clock: () => now, writable: () => true, shared: false, node: 'a' });
        await alone.reserve('web', [four], auto(100));
        store.addresses.put(row('10.20.0.9', 101));
        writeFileSync(file('10.20.0.9'), '');
      });

      it('D45 before the file was written: healed at once by the next start of the service', async () => {
        const findings = await alone.load();
        assert.deepEqual(
          findings.map((finding) => `${finding.kind} ${finding.address}`),
          ['healed 10.20.0.9'],
        );
        assert.equal(claimIn('10.20.0.9').vmid, 101);
        assert.deepEqual(await alone.load(), []);
      });

      it('D45 before the file was written: the container’s next start is not refused', async () => {
        assert.deepEqual(await alone.reserve('web', [four], auto(101)), ['10.20.0.9']);
        assert.equal(claimIn('10.20.0.9').vmid, 101);
      });

      it('D45 before the file was written: it can be released and kept at once', async () => {
        await alone.keep(101, now + dayMs);
        assert.equal(claimIn('10.20.0.9').releaseAt, now + dayMs);
        writeFileSync(file('10.20.0.9'), '');
        await alone.release('web', '10.20.0.9');
        assert.deepEqual(names(), ['10.20.0.2']);
        assert.equal(store.addresses.get('web', '10.20.0.9'), null);
      });
    });

    it('an empty file that is nobody’s counts as taken for a day, then goes', async () => {
      await one.reserve('web', [tiny], auto(100));
      writeFileSync(file('10.30.0.2'), '');
      await assert.rejects(one.reserve('web', [tiny], auto(101)), { code: 'IPAM_POOL_EXHAUSTED' });
      age('10.30.0.2', 2 * dayMs);
      assert.deepEqual(await kinds(), ['reaped 10.30.0.2']);
      assert.deepEqual(await one.reserve('web', [tiny], auto(101)), ['10.30.0.2']);
    });

    it('in the middle of a release: the release is completed', async () => {
      await one.reserve('web', [tiny], auto(101));
      store.addresses.put({ ...row('10.30.0.1', 101), releasing: true });
      store.addresses.put({ ...row('10.30.0.2', 101), releasing: true });
      assert.deepEqual(await kinds(), ['released 10.30.0.1', 'released 10.30.0.2']);
      assert.deepEqual(names(), []);
      assert.deepEqual(store.addresses.list(), []);
    });

    it('with the index lost: the files bring it back, kept addresses included', async () => {
      await one.reserve('web', [four, six], auto(101));
      await one.reserve('web', [four], auto(102));
      await one.keep(102, now + dayMs);
      const before = store.addresses.list();
      const fresh = files.open(files.path('fresh', 'state.db'));
      assert.deepEqual(await node('a', fresh).load(), []);
      assert.deepEqual(fresh.addresses.list(), before);
    });

    it('dot files are no reservations, and what we left of them goes after a day', async () => {
      await one.reserve('web', [four], auto(101));
      for (const name of ['.pve-cni-x', '.fuse_hidden0001']) {
        writeFileSync(file(name), '');
        age(name, 2 * dayMs);
      }
      assert.deepEqual(await kinds(), []);
      assert.deepEqual(names(), ['.fuse_hidden0001', '10.20.0.2']);
    });
  });

  it('takes a link or a folder in place of a file for taken, and follows neither', async () => {
    await one.reserve('web', [tiny], auto(101));
    writeFileSync(files.path('target'), '');
    symlinkSync(files.path('target'), file('10.30.0.2'));
    await assert.rejects(one.reserve('web', [tiny], auto(102)), { code: 'IPAM_POOL_EXHAUSTED' });
    assert.deepEqual(
      (await one.load()).map((finding) => finding.kind),
      ['unreadable'],
    );
    assert.equal(readFileSync(files.path('target'), 'utf8'), '');
  });
});
