// The cluster filesystem is a stand-in: test/support/pmxcfs.py.
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { readRegularFile } from '../../../src/config/read.ts';
import { stateOfRoot } from '../../../src/config/root.ts';
import { archiveFile, replaceFile } from '../../../src/config/write.ts';
import { readTextUpTo, writeDurably } from '../../../src/host/files.ts';
import { createCluster } from '../../../src/proxmox/cluster.ts';
import { createClusterLock } from '../../../src/proxmox/cluster-lock.ts';
import { hasCode, isClusterFileSystem, reservationFiles } from '../../../src/state/reservation-files.ts';
import { mountPmxcfs, type Pmxcfs } from '../../support/pmxcfs.ts';
import { until } from '../../support/until.ts';

describe('files on the cluster filesystem', () => {
  let pmxcfs: Pmxcfs;
  const root = (node: string) => join(pmxcfs.path(node), 'cni');
  const cluster = (node: string) => createCluster({ pveDir: pmxcfs.path(node), lxcPath: '/nonexistent', node, readText: readTextUpTo });
  const claim = (vmid: number, node: string) => ({ vmid, ifname: 'eth0', node, since: 1, releaseAt: null });

  before(async function () {
    pmxcfs = await mountPmxcfs(this, ['pve1', 'pve2'], { lockSeconds: 2 });
    mkdirSync(root('pve1'));
  });
  after(() => pmxcfs?.destroy());
  afterEach(() => {
    for (const node of ['pve1', 'pve2']) {
      pmxcfs.quorum(node, true);
      pmxcfs.blocked(node, false);
    }
  });

  it('are written whole, replaced and archived without a chmod, and seen by the other node', async () => {
    for (const text of ['one\n', 'two\n']) {
      await replaceFile(root('pve1'), 'networks/web.yaml', text);
      assert.equal(await readTextUpTo(join(root('pve2'), 'networks/web.yaml'), 100), text);
    }
    await archiveFile(root('pve2'), 'networks/web.yaml', 'web-1.yaml');
    assert.deepEqual(readdirSync(join(root('pve1'), 'archive')), ['web-1.yaml']);
    assert.deepEqual(readdirSync(join(root('pve1'), 'networks')), []);
    await writeDurably(join(pmxcfs.path('pve1'), 'priv/cni/token'), 'secret');
    assert.equal(await readTextUpTo(join(pmxcfs.path('pve2'), 'priv/cni/token'), 100), 'secret');
  });

  it('may have 1 MiB: what is larger is refused, and what was there stays', async () => {
    await replaceFile(root('pve1'), 'networks/web.yaml', 'good\n');
    await assert.rejects(replaceFile(root('pve1'), 'networks/web.yaml', 'x'.repeat(1024 * 1024 + 1)), { code: 'EFBIG' });
    assert.equal(await readTextUpTo(join(root('pve2'), 'networks/web.yaml'), 100), 'good\n');
    assert.deepEqual(readdirSync(join(root('pve1'), 'networks')), ['web.yaml'], 'and no half of it is left');
    await archiveFile(root('pve1'), 'networks/web.yaml', 'web-2.yaml');
  });

  it('are in the stand-in as the real filesystem was measured', () => {
    const [one, other] = [pmxcfs.path('pve1'), pmxcfs.path('pve2')];
    const file = join(one, 'priv/measured');
    writeFileSync(file, 'x');
    mkdirSync(join(one, 'measured/inner'), { recursive: true });
    const refusals: [string, () => unknown, string][] = [
      ['another mode', () => chmodSync(file, 0o640), 'EPERM'],
      ['another owner', () => chownSync(file, 33, 33), 'EPERM'],
      ['a symlink', () => symlinkSync('x', join(one, 'measured/link')), 'ENOSYS'],
      ['a hard link', () => linkSync(file, join(one, 'measured/link')), 'EPERM'],
      ['a folder with something in it under another name', () => renameSync(join(one, 'measured'), join(one, 'renamed')), 'ENOTEMPTY'],
      ['a file over a folder', () => renameSync(file, join(one, 'measured/inner')), 'EISDIR'],
      ['a folder that is there', () => mkdirSync(join(other, 'measured')), 'EEXIST'],
      ['a file that is there, O_EXCL', () => writeFileSync(join(other, 'priv/measured'), '', { flag: 'wx' }), 'EEXIST'],
      ['a lock under another name', () => renameSync(join(one, 'priv/lock/measured'), join(one, 'measured/lock')), 'EACCES'],
      ['a lock’s end, asked for too early', () => utimesSync(join(other, 'priv/lock/measured'), 0, 0), 'EACCES'],
    ];
    mkdirSync(join(one, 'priv/lock/measured'));
    for (const [what, attempt, code] of refusals) assert.throws(attempt, { code }, what);
    chmodSync(file, 0o600); // what it has already
    assert.deepEqual(
      [file, join(one, 'priv'), join(one, 'measured')].map((path) => (statSync(path).mode & 0o777).toString(8)),
      ['600', '700', '755'],
    );
    rmSync(join(one, 'measured'), { recursive: true });
    rmdirSync(join(one, 'priv/lock/measured'));
  });

  it('are never read by half where another node made them longer a moment ago', async () => {
    const path = join(root('pve2'), 'containers/101.yaml');
    await replaceFile(root('pve1'), 'containers/101.yaml', 'short\n');
    assert.equal(statSync(path).size, 6, 'which the kernel remembers for a second');
    const long = 'a line of it\n'.repeat(2000);
    await replaceFile(root('pve1'), 'containers/101.yaml', long);
    assert.equal((await readRegularFile(path, '101.yaml'))?.text, long);
    await archiveFile(root('pve1'), 'containers/101.yaml', '101-1.yaml');
  });

  it('have one winner of an address, whichever nodes race for it', async () => {
    assert.equal(await isClusterFileSystem(root('pve1')), true);
    const [one, other] = [reservationFiles(root('pve1')), reservationFiles(root('pve2'))];
    for (let number = 10; number < 40; number++) {
      const address = `10.20.0.${number}`;
      const won = await Promise.all([
        one.create('web', address, claim(101, 'pve1')),
        other.create('web', address, claim(102, 'pve2')),
        one.create('web', address, claim(103, 'pve1')),
      ]);
      assert.equal(won.filter(Boolean).length, 1, address);
      const held = await other.read('web', address);
      assert.equal(held.kind === 'claim' && held.claim.vmid, [101, 102, 103][won.indexOf(true)]);
    }
  });

  it('take no change without quorum, say so at once, and can be read', async () => {
    pmxcfs.quorum('pve2', false);
    const files = reservationFiles(root('pve2'));
    await until('the modes say so', async () => !(await stateOfRoot(root('pve2'), pmxcfs.path('pve2'))).writable, 30);
    assert.deepEqual(await stateOfRoot(root('pve2'), pmxcfs.path('pve2')), { readable: true, authoritative: false, writable: false });
    assert.deepEqual(await stateOfRoot(root('pve1'), pmxcfs.path('pve1')), { readable: true, authoritative: true, writable: true });
    await assert.rejects(files.create('web', '10.20.0.200', claim(101, 'pve2')), (error) => hasCode(error, 'EACCES'));
    assert.equal((await files.read('web', '10.20.0.200')).kind, 'absent');
    assert.equal((await files.read('web', '10.20.0.10')).kind, 'claim');
  });

  it('are not half changed by a write that hung and then failed', async () => {
    const files = reservationFiles(root('pve2'));
    pmxcfs.blocked('pve2', true);
    const attempt = files.create('web', '10.20.0.201', claim(101, 'pve2')).then(
      () => 'made',
      (error) => error.code,
    );
    await pmxcfs.untilWaits('pve2');
    pmxcfs.quorum('pve2', false);
    pmxcfs.blocked('pve2', false);
    assert.equal(await attempt, 'EPERM');
    pmxcfs.quorum('pve2', true);
    assert.equal((await reservationFiles(root('pve1')).read('web', '10.20.0.201')).kind, 'absent');
  });

  it('say which containers there are, and on which node', async () => {
    pmxcfs.write('pve1', 101);
    pmxcfs.write('pve2', 102);
    writeFileSync(join(pmxcfs.path('pve1'), 'qemu-server/103.conf'), 'name: vm\n');
    assert.deepEqual(
      await cluster('pve1').places(),
      new Map([
        [101, 'pve1'],
        [102, 'pve2'],
      ]),
    );
    pmxcfs.migrate(101, 'pve1', 'pve2');
    assert.equal((await cluster('pve1').places())?.get(101), 'pve2');
    assert.equal(await cluster('pve1').exists(103), false, 'it is a virtual machine');
    pmxcfs.online('pve2', false);
    assert.deepEqual(await cluster('pve1').members(), [
      { node: 'pve1', online: true },
      { node: 'pve2', online: false },
    ]);
    pmxcfs.online('pve2', true);
  });

  describe('lock', () => {
    const lockOf = (node: string, waitMs = 30_000) =>
      createClusterLock({ folder: join(pmxcfs.path(node), 'priv/lock'), isProxmox: async () => true, waitMs, pollMs: 20 });

    it('lets one node in at a time, and one piece of work of a node', async () => {
      const [one, other] = [lockOf('pve1'), lockOf('pve2')];
      let inside = 0;
      let most = 0;
      const work = async () => {
        most = Math.max(most, ++inside);
        await new Promise((resolve) => setTimeout(resolve, 5));
        inside--;
      };
      await Promise.all([one, other, one, other, one, other].map((lock) => lock(work)));
      assert.equal(most, 1);
      assert.equal(existsSync(join(pmxcfs.path('pve1'), 'priv/lock/domain-pve-cni')), false);
    });

    it('is let go when the work fails', async () => {
      const lock = lockOf('pve1');
      await assert.rejects(
        lock(() => Promise.reject(new Error('no'))),
        /no/,
      );
      assert.equal(await lock(async () => 'free'), 'free');
    });

    it('of a node that died is taken over when it is old enough', async () => {
      mkdirSync(join(pmxcfs.path('pve1'), 'priv/lock/domain-pve-cni'));
      assert.equal(await lockOf('pve2')(async () => 'taken over'), 'taken over');
    });

    it('that another holds is refused in words after a while', async () => {
      await lockOf('pve1')(async () => {
        await assert.rejects(
          lockOf('pve2', 100)(async () => {}),
          { code: 'CLUSTER_LOCKED', message: /another node holds it/ },
        );
      });
    });

    it('is refused at once without quorum', async () => {
      pmxcfs.quorum('pve2', false);
      await assert.rejects(
        lockOf('pve2')(async () => {}),
        { code: 'PROXMOX_UNAVAILABLE', message: /quorum/ },
      );
    });
  });
});
