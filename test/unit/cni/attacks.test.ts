import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { parseConflist } from '../../../src/cni/conflist.ts';
import { redactOutput } from '../../../src/cni/redact.ts';
import type { ErrorRecord } from '../../../src/model/errors.ts';
import { createPluginRig, type PluginRig } from '../../support/scripted-plugin.ts';
import { until } from '../../support/until.ts';
import { callOf, refusal, result } from './cases/case.ts';

const file = 'networks/x.conflist';
const list = (more: object) => JSON.stringify({ cniVersion: '1.0.0', name: 'x', plugins: [{ type: 'a' }], ...more });

describe('attacks and faults: the CNI runtime', () => {
  let rig: PluginRig;
  beforeEach(() => {
    rig = createPluginRig();
  });
  afterEach(() => rig.remove());

  /** a plugin outside the plugin folders that tells when it was run */
  function decoy(): { relative: string; ran: () => boolean } {
    writeFileSync(`${rig.base}/decoy`, `#!/bin/sh\ntouch ${rig.base}/ran\n`, { mode: 0o755 });
    return { relative: '../decoy', ran: () => existsSync(`${rig.base}/ran`) };
  }

  it('A1 conflist type with a path: refused, nothing executed', async () => {
    const { relative, ran } = decoy();
    for (const type of [relative, '../../../bin/reboot', 'a/../../decoy', './a', '..', '.', '.hidden']) {
      await refusal(() => parseConflist(list({ plugins: [{ type }] }), file), 'CNI_CONFIG_INVALID');
      // and once more behind the parser, where a stored list comes from elsewhere
      await refusal(rig.runtime.add(rig.attachment([{ type }])), 'CNI_CONFIG_INVALID');
      await refusal(rig.runtime.del(rig.attachment([{ type }])), 'CNI_CONFIG_INVALID');
      await refusal(rig.runtime.version(type), 'CNI_CONFIG_INVALID');
      const conflist = rig.attachment([{ type }], { cniVersion: '1.1.0' }).conflist;
      await refusal(rig.runtime.status(conflist), 'CNI_CONFIG_INVALID');
      await refusal(rig.runtime.gc(conflist, []), 'CNI_CONFIG_INVALID');
      assert.deepEqual(
        (await rig.runtime.validate(conflist)).map((error) => error.code),
        ['CNI_CONFIG_INVALID'],
      );
    }
    assert.ok(!ran());
    assert.equal(rig.order(), '');
  });

  it('A1 IPAM type with a path (CVE-2021-20206): refused before the plugin that would run it', async () => {
    const { relative, ran } = decoy();
    await refusal(() => parseConflist(list({ plugins: [{ type: 'a', ipam: { type: relative } }] }), file), 'CNI_CONFIG_INVALID');
    await refusal(rig.runtime.add(rig.attachment([{ type: 'a', ipam: { type: relative } }])), 'CNI_CONFIG_INVALID');
    assert.equal(rig.order(), '');
    assert.ok(!ran());
  });

  it('A2 conflist type that is absolute, has a NUL or a newline: refused, nothing executed', async () => {
    for (const type of ['/bin/sh', 'a\0', 'a\n', '\na', 'a\0/../sh', '', ' a', 'a b', '-a', 'а']) {
      await refusal(() => parseConflist(list({ plugins: [{ type }] }), file), 'CNI_CONFIG_INVALID');
      await refusal(rig.runtime.add(rig.attachment([{ type }])), 'CNI_CONFIG_INVALID');
    }
    await refusal(() => parseConflist(list({ plugins: [{ type: 7 }] }), file), 'CNI_CONFIG_INVALID');
    assert.equal(rig.order(), '');
  });

  it('A3 network name that is a path, too long or a look-alike: refused, nothing executed or written', async () => {
    for (const name of ['../x', 'a/b', '..', '/x', 'x'.repeat(300), 'wеb', 'ｗeb', 'web\n', 'web\0', '']) {
      const error = await refusal(() => parseConflist(list({ name }), file), 'CNI_CONFIG_INVALID');
      assert.equal(error.context.field, 'name');
      for (const verb of ['add', 'del', 'check'] as const) {
        await refusal(rig.runtime[verb](rig.attachment(['a'], { list: { name } })), 'CNI_CONFIG_INVALID');
      }
    }
    assert.equal(rig.order(), '');
    assert.ok(!existsSync(rig.cacheDir));
  });

  it('A6 CNI_ARGS value with ; or =: refused, cannot add keys', async () => {
    for (const value of ['10.0.0.2;IP=10.0.0.3', 'a=b', ';', 'a\nIP=b', 'a\0b']) {
      const error = await refusal(rig.runtime.add(rig.attachment(['a'], { args: { IP: value } })), 'CNI_CONFIG_INVALID');
      assert.equal(error.context.field, 'args.IP');
    }
    for (const key of ['A;B', 'A=B', ''])
      await refusal(rig.runtime.add(rig.attachment(['a'], { args: { [key]: 'x' } })), 'CNI_CONFIG_INVALID');
    assert.equal(rig.order(), '');
  });

  it('A9 5,000-deep nesting: a clean error', async () => {
    const deep = `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`;
    const error = await refusal(
      () => parseConflist(`{"cniVersion":"1.0.0","name":"x","type":"a","deep":${deep}}`, file),
      'CONFIG_TOO_LARGE',
    );
    assert.match(error.message, /32 levels/);
    await refusal(() => parseConflist('['.repeat(200_000), file), 'CONFIG_SYNTAX');
    rig.script('a', 'ADD', [], `{"cniVersion":"1.0.0","x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`);
    await rig.runtime.add(rig.attachment(['a']));
  });

  it('A10 __proto__, constructor and prototype in CNI JSON: refused at any depth, nothing polluted', async () => {
    for (const key of ['__proto__', 'constructor', 'prototype']) {
      for (const text of [
        `{"cniVersion":"1.0.0","name":"x","type":"a","${key}":{"polluted":1}}`,
        `{"cniVersion":"1.0.0","name":"x","plugins":[{"type":"a","b":[{"${key}":{"polluted":1}}]}]}`,
        `{"cniVersion":"1.0.0","name":"x","plugins":[{"type":"a","capabilities":{"${key}":true}}]}`,
      ]) {
        const error = await refusal(() => parseConflist(text, file), 'CNI_CONFIG_INVALID');
        assert.ok(String(error.context.field).endsWith(key));
      }
    }
    assert.equal(({} as Record<string, unknown>).polluted, undefined);
  });

  it('A10 duplicate keys: the last one counts, in every check and for the plugin alike', async () => {
    const text = '{"cniVersion":"1.0.0","name":"x","plugins":[{"type":"a","type":"../a"}]}';
    await refusal(() => parseConflist(text, file), 'CNI_CONFIG_INVALID');
    const conflist = parseConflist('{"cniVersion":"1.0.0","name":"../x","name":"net1","plugins":[{"type":"../a","type":"a"}]}', file);
    await rig.runtime.add(rig.attachment([], { conflist }));
    assert.equal(callOf(rig, 'a', 'ADD').stdin, '{"type":"a","name":"net1","cniVersion":"1.0.0"}');
  });

  it('A12 a configuration of 50 MB: refused at once by its size', async () => {
    const large = list({ filler: 'x'.repeat(50 * 1024 * 1024) });
    const begin = performance.now();
    await refusal(() => parseConflist(large, file), 'CONFIG_TOO_LARGE');
    assert.ok(performance.now() - begin < 500);
  });

  const outputs: Record<string, string | Buffer> = {
    'non-JSON': 'hello',
    'extra stdout text': `note\n${result('1.0.0')}`,
    'wrong cniVersion': result('0.4.0'),
    'interface name with newline': result('1.0.0', { interfaces: [{ name: 'eth0\nrm -rf' }] }),
    huge: 'x'.repeat(3 * 1024 * 1024),
    'huge after the plugin has ended': `${result('1.0.0')}${' '.repeat(2 * 1024 * 1024)}`,
  };
  for (const [what, printed] of Object.entries(outputs)) {
    it(`A16 CNI result from a plugin, ${what}: ADD fails, DEL is issued`, async () => {
      rig.script('b', 'ADD', [], printed);
      const attachment = rig.attachment(['a', 'b', 'c']);
      const error = await refusal(rig.runtime.add(attachment), 'CNI_RESULT_INVALID');
      assert.equal(rig.order(), 'a:ADD b:ADD c:DEL b:DEL a:DEL');
      assert.ok(error.message.length < 5000);
      assert.deepEqual(await rig.runtime.cached(), { entries: [], damaged: [] });
    });
  }

  it('A17 a plugin prints secrets to stderr: redacted in message and context', async () => {
    const lines = [
      'password=hunter2 user=bob',
      'Authorization: Bearer abc.def.ghi',
      '{"etcd_token": "s3cr3t value", "client-key-data":"AAAA"}',
      'https://admin:letmein@etcd.lab:2379',
      '-----BEGIN RSA PRIVATE KEY-----\\nMIIEow\\n-----END RSA PRIVATE KEY-----',
    ];
    rig.script('a', 'ADD', [`stderr ${lines.join('\\n')}`, 'exit 1'], '');
    const error = await refusal(rig.runtime.add(rig.attachment(['a'])), 'CNI_PLUGIN_CRASHED');
    const shown = JSON.stringify([error.message, error.context]);
    for (const secret of ['hunter2', 'abc.def', 's3cr3t', 'AAAA', 'letmein', 'MIIEow']) assert.ok(!shown.includes(secret), secret);
    assert.match(error.message, /user=bob/);
  });

  it('A17 at most 2 KiB of stderr are kept, and no half secret at the cut', () => {
    const key = `-----BEGIN EC PRIVATE KEY-----\n${'Zm9v\n'.repeat(600)}-----END EC PRIVATE KEY-----`;
    const shown = redactOutput(`${'x'.repeat(2000)}\n${key}\n${'y'.repeat(5000)}`);
    assert.ok(shown.length <= 2049);
    assert.ok(!shown.includes('Zm9v'));
    assert.ok(!redactOutput(key.slice(0, 1000)).includes('Zm9v'), 'a block without its end');
  });

  it('A17 redacting hostile stderr takes linear time', () => {
    for (const unit of ['key', 'key"', 'token: ', '-----BEGIN ', 'bearer ', 'a://', '-']) {
      const begin = performance.now();
      redactOutput(unit.repeat(Math.ceil((64 * 1024) / unit.length)));
      assert.ok(performance.now() - begin < 500, unit);
    }
  });

  describe('B26 plugin folder or binary that others can write', () => {
    const unsafe: Record<string, (rig: PluginRig) => string> = {
      'binary group-writable': ({ binDir }) => mode(`${binDir}/a`, 0o775),
      'binary world-writable': ({ binDir }) => mode(`${binDir}/a`, 0o757),
      'folder world-writable': ({ binDir }) => mode(binDir, 0o777),
      'folder sticky and world-writable': ({ binDir }) => mode(binDir, 0o1777),
      'folder above group-writable': ({ base }) => mode(base, 0o775),
      'binary owned by another user': ({ binDir }) => owner(`${binDir}/a`),
      'folder above owned by another user': ({ base }) => owner(base),
      'symbolic link to a binary that others can write': ({ base, binDir }) => {
        mkdirSync(`${base}/elsewhere`);
        writeFileSync(`${base}/elsewhere/a`, '#!/bin/sh\n', { mode: 0o755 });
        chmodSync(`${base}/elsewhere`, 0o777);
        rmSync(`${binDir}/a`);
        symlinkSync('../elsewhere/a', `${binDir}/a`);
        return `${base}/elsewhere`;
      },
    };
    for (const [what, spoil] of Object.entries(unsafe)) {
      it(`B26 ${what}: refused to execute, path named`, async () => {
        const path = spoil(rig);
        const attachment = rig.attachment(['a']);
        for (const work of [() => rig.runtime.add(attachment), () => rig.runtime.del(attachment), () => rig.runtime.version('a')]) {
          const error = await refusal(work, 'CNI_PLUGIN_UNSAFE');
          assert.equal(error.context.path, path);
        }
        assert.deepEqual(
          (await rig.runtime.validate(rig.attachment(['a']).conflist)).map((error) => error.code),
          ['CNI_PLUGIN_UNSAFE'],
        );
        assert.equal(rig.order(), '');
      });
    }

    it('B26 a later plugin of the chain is unsafe: the first is not executed either', async () => {
      mode(`${rig.binDir}/c`, 0o777);
      await refusal(rig.runtime.add(rig.attachment(['a', 'b', 'c'])), 'CNI_PLUGIN_UNSAFE');
      assert.equal(rig.order(), '');
    });

    it('B26 an IPAM plugin is unsafe: the plugin that would run it is not executed', async () => {
      mode(`${rig.binDir}/c`, 0o777);
      const attachment = rig.attachment([{ type: 'a', ipam: { type: 'c' } }]);
      for (const verb of ['add', 'del'] as const) await refusal(rig.runtime[verb](attachment), 'CNI_PLUGIN_UNSAFE');
      assert.equal(rig.order(), '');
    });

    it('B26 another folder of the plugin path is unsafe: plugins look for IPAM there, so nothing is executed', async () => {
      const open = mkdtempSync('/tmp/pve-cni-test-');
      try {
        await refusal(rig.withOptions({ pluginDirs: [rig.binDir, open] }).add(rig.attachment(['a'])), 'CNI_PLUGIN_UNSAFE');
        assert.equal(rig.order(), '');
      } finally {
        rmSync(open, { recursive: true });
      }
    });

    it('B26 opened after it was used: refused from then on', async () => {
      await rig.runtime.add(rig.attachment(['a']));
      mode(rig.binDir, 0o777);
      await refusal(rig.runtime.del(rig.attachment(['a'])), 'CNI_PLUGIN_UNSAFE');
      assert.equal(rig.order(), 'a:ADD');
    });

    it('B26 a symbolic link between safe folders is followed', async () => {
      symlinkSync(rig.binDir, `${rig.base}/link`);
      await rig.withOptions({ pluginDirs: [`${rig.base}/link`] }).add(rig.attachment(['a']));
      assert.equal(rig.order(), 'a:ADD');
    });

    it('B26 a loop of symbolic links is no plugin', async () => {
      rmSync(`${rig.binDir}/a`);
      symlinkSync('a', `${rig.binDir}/a`);
      await refusal(rig.runtime.add(rig.attachment(['a'])), 'CNI_PLUGIN_MISSING');
    });
  });

  it('D46 second plugin of the chain fails: DEL in reverse over all', async () => {
    rig.script('b', 'ADD', ['exit 1'], '{"code":100,"msg":"no"}');
    const error = await refusal(rig.runtime.add(rig.attachment(['a', 'b', 'c'])), 'CNI_PLUGIN_FAILED');
    assert.equal(rig.order(), 'a:ADD b:ADD c:DEL b:DEL a:DEL');
    assert.equal(error.context.plugin, 'b');
    assert.equal(error.context.undone, true);
  });

  it('D47 plugin hangs: process group killed at the deadline, DEL runs, the plugin is named', async () => {
    rig.script('b', 'ADD', ['hold 60', 'sleep 60']);
    const begin = performance.now();
    const error = await refusal(rig.runtime.add(rig.attachment(['a', 'b', 'c']), { pluginTimeoutMs: 300 }), 'CNI_PLUGIN_TIMEOUT');
    assert.ok(performance.now() - begin < 3000);
    assert.equal(error.context.plugin, 'b');
    assert.match(error.message, /plugin b .*300 ms/);
    assert.equal(rig.order(), 'a:ADD b:ADD c:DEL b:DEL a:DEL');
    const child = readFileSync(`${rig.base}/held`, 'utf8');
    await until('its child is gone too', () => !isRunning(Number(child)), 3);
    assert.ok(!isRunning(callOf(rig, 'b', 'ADD').pid));
  });

  it('D47 plugin hangs in its DEL as well: the undo ends, says so and the rest is deleted', async () => {
    for (const verb of ['ADD', 'DEL'] as const) rig.script('b', verb, ['sleep 60']);
    const error = await refusal(rig.runtime.add(rig.attachment(['a', 'b', 'c']), { pluginTimeoutMs: 200 }), 'CNI_PLUGIN_TIMEOUT');
    assert.equal(rig.order(), 'a:ADD b:ADD c:DEL b:DEL a:DEL');
    assert.equal(error.context.undone, false);
    assert.deepEqual(
      (error.context.undoErrors as ErrorRecord[]).map((one) => one.code),
      ['CNI_PLUGIN_TIMEOUT'],
    );
  });

  it('D48 DEL twice and thrice, with the namespace and the cache gone: success', async () => {
    const attachment = rig.attachment(['a', 'b']);
    await rig.runtime.add(attachment);
    await rig.runtime.del(attachment);
    await rig.runtime.del(attachment);
    rmSync(rig.cacheDir, { recursive: true });
    await rig.runtime.del({ ...attachment, netns: '/run/netns/gone' });
    await rig.runtime.del({ ...attachment, netns: '' });
  });

  it('D48 DEL with a plugin binary gone: an error that can become a debt, paid when the binary is back', async () => {
    const attachment = rig.attachment(['a', 'b']);
    await rig.runtime.add(attachment);
    rmSync(`${rig.binDir}/b`);
    await refusal(rig.runtime.del(attachment), 'CNI_PLUGIN_MISSING');
    assert.equal((await rig.runtime.cached()).entries.length, 1);
    rig.install('b');
    await rig.runtime.del(attachment);
    assert.equal((await rig.runtime.cached()).entries.length, 0);
  });

  it('D50 power cut: 0-byte and half-written cache files are named, tolerated, and replaced', async () => {
    const attachment = rig.attachment(['a']);
    const other = { ...attachment, containerId: 'other' };
    const half = { ...attachment, containerId: 'half' };
    for (const one of [attachment, other, half]) await rig.runtime.add(one);
    truncateSync(rig.cacheFile(attachment), 0);
    truncateSync(rig.cacheFile(half), 40);
    writeFileSync(`${rig.cacheDir}/results/.net1-c1-eth0.tmp`, '{"ki');

    const { entries, damaged } = await rig.runtime.cached();
    assert.deepEqual(
      entries.map((one) => one.containerId),
      ['other'],
    );
    assert.deepEqual(damaged, [`${rig.cacheDir}/results/.net1-c1-eth0.tmp`, rig.cacheFile(attachment), rig.cacheFile(half)]);

    await refusal(rig.runtime.check(attachment), 'CNI_CHECK_FAILED');
    await rig.runtime.gc(attachment.conflist, [{ containerId: 'other', ifname: 'eth0' }]);
    await rig.runtime.del(half);
    await rig.runtime.add(attachment);
    assert.deepEqual((await rig.runtime.cached()).entries.map((one) => one.containerId).sort(), ['c0ffee', 'other']);
  });
});

function mode(path: string, bits: number): string {
  chmodSync(path, bits);
  return path;
}

function owner(path: string): string {
  chownSync(path, 65534, 0);
  return path;
}

function isRunning(pid: number): boolean {
  try {
    return !/^State:\t[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
