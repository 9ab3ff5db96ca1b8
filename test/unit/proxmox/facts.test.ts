// /etc/pve is a stand-in: an ordinary folder with the files that Proxmox keeps there.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { readTextUpTo } from '../../../src/host/files.ts';
import { parseLxcConfig, parseProxmoxConfig } from '../../../src/proxmox/container-config.ts';
import { createProxmoxFacts, type ProxmoxFacts } from '../../../src/proxmox/facts.ts';
import { parsePools } from '../../../src/proxmox/pools.ts';
import { createProxmoxFolder, type ProxmoxFolder } from '../../support/proxmox-folder.ts';

describe('what Proxmox says of a container', () => {
  let dir: string;
  let pve: ProxmoxFolder;
  let facts: ProxmoxFacts;
  const lxc = (vmid: number, text: string) => {
    mkdirSync(join(dir, 'lxc', String(vmid)), { recursive: true });
    writeFileSync(join(dir, 'lxc', String(vmid), 'config'), text);
  };
  const factsOf = (pveDir: string) => createProxmoxFacts({ pveDir, lxcPath: join(dir, 'lxc'), readText: readTextUpTo });
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'pve-cni-proxmox-'));
    mkdirSync(join(dir, 'lxc'));
    pve = createProxmoxFolder(join(dir, 'pve'));
    facts = factsOf(pve.path);
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it('is its hostname, its tags and its pool', async () => {
    pve.set(101, { hostname: 'web1', tags: ['web', 'front'] });
    pve.pools({ prod: [100, 101], test: [102] });
    assert.deepEqual(await facts.of(101), { name: 'web1', tags: ['web', 'front'], pool: 'prod' });
  });

  it('is found on another node, where a migration has left it', async () => {
    pve.write(101, 'hostname: far\n', 'node2');
    assert.equal((await facts.of(101)).name, 'far');
  });

  it('is Proxmox’s own name where nobody gave it one', async () => {
    pve.set(101, {});
    assert.deepEqual(await facts.of(101), { name: 'CT101', tags: [], pool: null });
  });

  it('is what it said last while the cluster filesystem is away, and never nothing', async () => {
    pve.set(101, { hostname: 'web1', tags: ['web'] });
    pve.pools({ prod: [101] });
    const before = await facts.of(101);
    pve.unmount();
    assert.deepEqual(await facts.of(101), before);
    await assert.rejects(facts.of(102), { code: 'PROXMOX_UNAVAILABLE', message: /container 102.*pve-cluster/ });
    pve.mount();
    assert.deepEqual(await facts.of(101), before);
  });

  it('is the name that LXC has, where there is no Proxmox', async () => {
    const plain = factsOf(join(dir, 'absent'));
    lxc(101, '# web\nlxc.rootfs.path = dir:/x\nlxc.uts.name = web1\n');
    assert.deepEqual(await plain.of(101), { name: 'web1', tags: [], pool: null });
    assert.deepEqual(await plain.of(102), { name: '102', tags: [], pool: null });
  });

  it('is not taken from a file that is too large or no regular one', async () => {
    pve.write(101, `hostname: web1\n# ${'x'.repeat(1024 * 1024)}\n`);
    mkdirSync(join(pve.path, 'lxc', '102.conf'));
    assert.deepEqual([(await facts.of(101)).name, (await facts.of(102)).name], ['CT101', 'CT102']);
  });

  describe('has a version that', () => {
    const old = (...files: string[]) => {
      for (const file of files) utimesSync(join(dir, file), 1000, 1000);
    };

    it('stays as long as nothing changes, and changes with a tag, a pool, a new and a destroyed container', async () => {
      pve.set(101, { tags: ['web'] });
      pve.pools({});
      const seen = [];
      for (const change of [
        () => {},
        () => pve.set(101, { tags: ['dbx'] }),
        () => pve.pools({ prod: [101] }),
        () => pve.set(102, {}),
        () => pve.remove(102),
      ]) {
        change();
        old('pve/user.cfg', ...['101', '102'].map((vmid) => `pve/lxc/${vmid}.conf`).filter((file) => exists(join(dir, file))));
        seen.push(await facts.version());
        assert.equal(await facts.version(), seen.at(-1));
      }
      assert.equal(new Set(seen.slice(0, 4)).size, 4);
      assert.notEqual(seen[4], seen[3]);
    });

    it('is new at every look while a file is so young that it could change within the second', async () => {
      pve.set(101, {});
      assert.notEqual(await facts.version(), await facts.version());
    });

    it('is what Proxmox counts itself, where it does', async () => {
      const counted = (vmlist: number) =>
        writeFileSync(join(pve.path, '.version'), `{"starttime":1,"clinfo":9,"vmlist":${vmlist},"storage.cfg":2,"user.cfg":7}`);
      counted(1);
      const before = await facts.version();
      pve.set(101, {});
      assert.equal(await facts.version(), before);
      counted(2);
      assert.notEqual(await facts.version(), before);
    });

    it('changes with LXC’s own configuration, where there is no Proxmox', async () => {
      const plain = factsOf(join(dir, 'absent'));
      lxc(101, 'lxc.uts.name = a\n');
      old('lxc/101/config');
      const before = await plain.version();
      lxc(101, 'lxc.uts.name = abc\n');
      old('lxc/101/config');
      assert.notEqual(await plain.version(), before);
    });
  });
});

describe('a container’s configuration file', () => {
  it('counts as far as its first section: not what a snapshot or a pending change says', () => {
    const text = 'hostname: now\ntags: web\n\n[pve:pending]\ntags: pending\n\n[before]\nhostname: then\ntags: db\nsnaptime: 1\n';
    assert.deepEqual(parseProxmoxConfig(text), { name: 'now', tags: ['web'], hookscript: '', nics: [] });
  });

  it('names its hookscript, in the configuration that is in force alone', () => {
    const ours = 'hookscript: local:snippets/pve-cni-hook\n';
    assert.equal(parseProxmoxConfig(ours).hookscript, 'local:snippets/pve-cni-hook');
    for (const text of [`#${ours}`, `[pve:pending]\n${ours}`, `[before]\n${ours}`])
      assert.equal(parseProxmoxConfig(text).hookscript, '', text);
    assert.equal(parseProxmoxConfig(`hookscript: ${'x'.repeat(9999)}`).hookscript.length, 256);
  });

  it('has tags between semicolons, commas and spaces, each once, in lower case', () => {
    assert.deepEqual(parseProxmoxConfig('tags: Web;db, front  web;;a+b.c_d\r\n').tags, ['web', 'db', 'front', 'a+b.c_d']);
  });

  it('A23 has no tags in its description, and none that Proxmox would not take', () => {
    assert.deepEqual(parseProxmoxConfig('#tags: db\n#x%0Atags: db\n tags: db\ntags: $(id);a/b;../x;ok\n').tags, ['ok']);
  });

  it('A7 gives no name that a host cannot have', () => {
    for (const name of ['a b', '$(id)', '<img>', '-x', 'a\u0000b', 'x'.repeat(300), ''])
      assert.equal(parseProxmoxConfig(`hostname: ${name}\n`).name, null, name);
    assert.equal(parseLxcConfig('lxc.uts.name = a;b\n').name, null);
  });

  it('whatever it holds, the answer is of that shape', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.string().map((text) => `tags: ${text}\nhostname:${text}`),
        ),
        (text) => {
          for (const { name, tags } of [parseProxmoxConfig(text), parseLxcConfig(text)]) {
            assert.ok(name === null || /^[A-Za-z0-9.-]{1,253}$/.test(name));
            for (const tag of tags) assert.match(tag, /^[a-z0-9_][a-z0-9_+.-]*$/);
          }
        },
      ),
    );
  });
});

describe('the pools of user.cfg', () => {
  it('hold containers by number; nested ones have their whole name', () => {
    const text = 'user:root@pam:1:0:::::x:\r\npool:a:c%3Aomment:101,102:local:\npool:a/b::103::\nacl:1:/pool/a:x@pve:PVEAdmin:\n';
    assert.deepEqual(
      [...parsePools(text)],
      [
        [101, 'a'],
        [102, 'a'],
        [103, 'a/b'],
      ],
    );
  });

  it('a container that two name is in the first', () => {
    assert.deepEqual(
      [...parsePools('pool:a::101::\npool:b::101,102::\n')],
      [
        [101, 'a'],
        [102, 'b'],
      ],
    );
  });

  it('lines that are none say nothing', () => {
    const text = 'pool\npool:\npool:x y::101::\n\npool:a::1,0x65,-5,101;reboot,9999999999::\n:pool:a::101::\n';
    assert.deepEqual([...parsePools(text)], [[101, 'a']]);
  });
});

function exists(path: string): boolean {
  try {
    utimesSync(path, 1000, 1000);
    return true;
  } catch {
    return false;
  }
}
