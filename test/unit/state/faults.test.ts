import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statfsSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import Database from 'better-sqlite3';
import { migrations } from '../../../src/state/migrations.ts';
import { createReservations } from '../../../src/state/reservations.ts';
import { attachment, operation } from './records.ts';
import { useFolder } from './support.ts';

describe('the state file under faults', () => {
  const files = useFolder();
  const state = (companion = '') => files.path(`s/state.db${companion}`);
  const setAsideFiles = () => readdirSync(files.path('s')).filter((name) => name.includes('.corrupt-'));
  const raw = (work: (db: Database.Database) => void) => {
    const db = new Database(state());
    work(db);
    db.close();
  };

  describe('B25 a tampered state file is refused', () => {
    beforeEach(() => files.open(state()).close());

    it('makes folder and file for root only', () => {
      assert.equal(statSync(files.path('s')).mode & 0o777, 0o700);
      assert.equal(statSync(state()).mode & 0o777, 0o600);
      const store = files.open(state());
      store.seen.add(1);
      for (const companion of ['-wal', '-shm']) assert.equal(statSync(state(companion)).mode & 0o777, 0o600);
    });

    const tampering: [string, () => void][] = [
      ['the file is writable by all', () => chmodSync(state(), 0o602)],
      ['the file is writable by its group', () => chmodSync(state(), 0o620)],
      ['the file belongs to another user', () => chownSync(state(), 65534, 0)],
      ['the folder is writable by all', () => chmodSync(files.path('s'), 0o777)],
      ['the folder belongs to another user', () => chownSync(files.path('s'), 65534, 0)],
      [
        'the write-ahead log is writable by all',
        () => {
          writeFileSync(state('-wal'), '');
          chmodSync(state('-wal'), 0o666);
        },
      ],
      ['the write-ahead log is a link', () => symlinkSync('/dev/null', state('-wal'))],
      [
        'the file is a link to a good one',
        () => {
          renameSync(state(), files.path('good.db'));
          symlinkSync(files.path('good.db'), state());
        },
      ],
      [
        'the file is a link to nowhere',
        () => {
          unlinkSync(state());
          symlinkSync(files.path('nowhere'), state());
        },
      ],
      [
        'the file is a folder',
        () => {
          unlinkSync(state());
          mkdirSync(state());
        },
      ],
    ];
    for (const [name, tamper] of tampering)
      it(`because ${name}`, () => {
        tamper();
        assert.throws(() => files.open(state()), { name: 'StateError', code: 'STATE_UNSAFE' });
        assert.deepEqual(setAsideFiles(), []);
        assert.ok(!existsSync(files.path('nowhere')));
      });
  });

  describe('a file of a newer version', () => {
    beforeEach(() => files.open(state()).close());

    it('D67 is refused and left byte for byte as it was', () => {
      raw((db) => db.pragma(`user_version = ${migrations.length + 1}`));
      const before = readFileSync(state());
      assert.throws(() => files.open(state()), { name: 'StateError', code: 'STATE_NEWER' });
      assert.deepEqual(readFileSync(state()), before);
      assert.deepEqual(readdirSync(files.path('s')), ['state.db']);
    });

    it('D67 is refused also when its version is in the write-ahead log only, as after a crash', () => {
      const db = new Database(state());
      db.pragma('wal_autocheckpoint = 0');
      db.pragma(`user_version = ${migrations.length + 1}`);
      const [file, log] = [readFileSync(state()), readFileSync(state('-wal'))];
      db.close();
      writeFileSync(state(), file);
      writeFileSync(state('-wal'), log, { mode: 0o600 });
      assert.throws(() => files.open(state()), { code: 'STATE_NEWER' });
      assert.deepEqual(readFileSync(state()), file);
      assert.deepEqual(readFileSync(state('-wal')), log);
    });
  });

  describe('D69 a corrupt file is set aside, and a fresh one begun', () => {
    beforeEach(() => {
      const store = files.open(state());
      store.transaction(() => {
        for (let vmid = 100; vmid < 400; vmid++) store.attachments.put(attachment(vmid));
      });
      store.close();
    });

    const damages: [string, () => void][] = [
      ['it is no database', () => writeFileSync(state(), 'x'.repeat(5000))],
      ['it is shorter than a header', () => truncateSync(state(), 50)],
      ['its second half is missing', () => truncateSync(state(), Math.floor(statSync(state()).size / 2))],
      ['its pages are overwritten', () => writeFileSync(state(), readFileSync(state()).fill(0xa5, 8192, 40_000))],
      ['its zeros after a power cut', () => writeFileSync(state(), readFileSync(state()).fill(0, 4096))],
      [
        'the JSON of a row is malformed',
        () =>
          raw((db) => {
            db.pragma('ignore_check_constraints = ON');
            db.exec(`UPDATE attachments SET request = '{"conf' WHERE vmid = 150`);
          }),
      ],
    ];
    for (const [name, damage] of damages)
      it(name, () => {
        damage();
        const store = files.open(state());
        assert.ok(store.rebuilt?.reason);
        assert.deepEqual(setAsideFiles(), [store.rebuilt.setAside.split('/').pop()]);
        assert.deepEqual(store.attachments.list(), []);
        store.attachments.put(attachment(101));
        store.close();
        const again = files.open(state());
        assert.equal(again.rebuilt, null);
        assert.equal(again.attachments.list().length, 1);
      });

    it('with its write-ahead log beside it', () => {
      writeFileSync(state(), 'x'.repeat(5000));
      writeFileSync(state('-wal'), 'log', { mode: 0o600 });
      const { rebuilt } = files.open(state());
      assert.equal(readFileSync(`${rebuilt?.setAside}-wal`, 'utf8'), 'log');
    });

    it('D50 but one of 0 bytes is simply new', () => {
      truncateSync(state(), 0);
      const store = files.open(state());
      assert.equal(store.rebuilt, null);
      assert.deepEqual(store.attachments.list(), []);
    });
  });

  describe('D51 the disk', () => {
    const disk = () => files.path('disk');
    beforeEach(() => {
      mkdirSync(disk());
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=0700', 'tmpfs', disk()]);
    });
    // runs before the folder is removed
    let close = () => {};
    afterEach(() => {
      close();
      close = () => {};
      execFileSync('umount', [disk()]);
    });
    const openOnDisk = () => {
      const store = files.open(files.path('disk', 'state.db'));
      close = store.close;
      return store;
    };
    const fill = () => {
      const { bavail, bsize } = statfsSync(disk());
      writeFileSync(files.path('disk', 'ballast'), Buffer.alloc(bavail * bsize, 1));
    };

    it('is full: the change is refused as a whole, and works when there is room', async () => {
      const store = openOnDisk();
      store.operations.begin(operation('before'));
      fill();
      const change = () =>
        store.transaction(() => {
          for (let vmid = 100; vmid < 200; vmid++) store.attachments.put(attachment(vmid));
          store.operations.begin(operation('during'));
        });
      assert.throws(change, { name: 'StateError', code: 'STATE_WRITE_FAILED' });
      assert.deepEqual(store.attachments.list(), []);
      assert.equal(store.operations.get('during'), null);
      assert.equal(store.operations.get('before')?.id, 'before');

      mkdirSync(files.path('root'));
      const reservations = createReservations({ root: files.path('root'), store, clock: Date.now, writable: () => true });
      for (let vmid = 100, full = false; !full; vmid++)
        await reservations.reserve('web', [{ cidr: '10.20.0.0/16' }], { vmid, ifname: 'eth0', wanted: 'auto' }).catch((error) => {
          assert.equal(error.code, 'STATE_WRITE_FAILED');
          full = true;
        });
      const made = existsSync(files.path('root/addresses/web')) ? readdirSync(files.path('root/addresses/web')) : [];
      assert.equal(made.length, store.addresses.list().length);

      unlinkSync(files.path('disk', 'ballast'));
      change();
      assert.equal(store.attachments.list().length, 100);
    });

    it('of the reservations is full: the address is not given, and free when there is room', async () => {
      const store = files.open();
      const reservations = createReservations({ root: disk(), store, clock: Date.now, writable: () => true });
      const reserve = (vmid: number) => reservations.reserve('web', [{ cidr: '10.20.0.0/24' }], { vmid, ifname: 'eth0', wanted: 'auto' });
      assert.deepEqual(await reserve(101), ['10.20.0.1']);
      fill();
      await assert.rejects(reserve(102), { code: 'STATE_WRITE_FAILED' });
      assert.deepEqual(readdirSync(files.path('disk/addresses/web')), ['10.20.0.1']);
      assert.equal(store.addresses.list().length, 1);
      unlinkSync(files.path('disk', 'ballast'));
      assert.deepEqual(await reserve(103), ['10.20.0.2']);
    });

    it('is read-only: the change is refused, what is there can be read', () => {
      openOnDisk().seen.add(101);
      close();
      execFileSync('mount', ['-o', 'remount,ro', disk()]);
      assert.throws(() => files.open(files.path('disk', 'state.db')), { name: 'StateError', code: 'STATE_WRITE_FAILED' });
    });

    it('of the reservations is read-only: no new address, the old one works', async () => {
      const store = files.open();
      const reservations = createReservations({ root: disk(), store, clock: Date.now, writable: () => true });
      const reserve = (vmid: number) => reservations.reserve('web', [{ cidr: '10.20.0.0/24' }], { vmid, ifname: 'eth0', wanted: 'auto' });
      await reserve(101);
      execFileSync('mount', ['-o', 'remount,ro', disk()]);
      assert.deepEqual(await reserve(101), ['10.20.0.1']);
      await assert.rejects(reserve(102), { code: 'IPAM_READ_ONLY' });
      assert.equal(store.addresses.list().length, 1);
    });
  });
});
