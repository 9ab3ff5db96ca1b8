import assert from 'node:assert/strict';
import { existsSync, utimesSync } from 'node:fs';
import type { ErrorRecord } from '../../../../src/model/errors.ts';
import { callOf, refusal, result, section } from './case.ts';

export const networkCases = [
  ...section('2 Execution Protocol / CHECK', {
    'plugins run in the order of the list with the final result of ADD': async (rig) => {
      const attachment = rig.attachment(['a', 'b']);
      rig.script('b', 'ADD', [], result('1.0.0', { dns: { domain: 'x.lab' } }));
      await rig.runtime.add(attachment);
      rig.forget();
      await rig.runtime.check(attachment);
      assert.equal(rig.order(), 'a:CHECK b:CHECK');
      for (const plugin of ['a', 'b']) {
        assert.deepEqual(callOf(rig, plugin, 'CHECK').conf?.prevResult, JSON.parse(result('1.0.0', { dns: { domain: 'x.lab' } })));
      }
    },
    'a failure ends it, and the plugin’s error is kept whole': async (rig) => {
      const attachment = rig.attachment(['a', 'b']);
      await rig.runtime.add(attachment);
      rig.forget();
      const cniError = { cniVersion: '1.0.0', code: 150, msg: 'route is gone', details: 'default via 10.0.0.1', more: [1] };
      rig.script('a', 'CHECK', ['exit 1'], JSON.stringify(cniError));
      const error = await refusal(rig.runtime.check(attachment), 'CNI_CHECK_FAILED');
      assert.deepEqual(error.context.cniError, cniError);
      assert.equal(rig.order(), 'a:CHECK');
    },
    'disableCheck: no plugin is called': async (rig) => {
      const attachment = rig.attachment(['a'], { list: { disableCheck: true } });
      await rig.runtime.add(attachment);
      await rig.runtime.check(attachment);
      assert.equal(rig.order(), 'a:ADD');
    },
    'a list of 0.3.1 has no CHECK': async (rig) => {
      const attachment = rig.attachment(['a'], { cniVersion: '0.3.1' });
      await rig.runtime.add(attachment);
      await rig.runtime.check(attachment);
      assert.equal(rig.order(), 'a:ADD');
    },
    'a list of 0.4.0 has CHECK': async (rig) => {
      const attachment = rig.attachment(['a'], { cniVersion: '0.4.0' });
      await rig.runtime.add(attachment);
      await rig.runtime.check(attachment);
      assert.equal(rig.order(), 'a:ADD a:CHECK');
    },
    'without an ADD it fails, and no plugin is called': async (rig) => {
      await refusal(rig.runtime.check(rig.attachment(['a'])), 'CNI_CHECK_FAILED');
      assert.equal(rig.order(), '');
    },
    'after a DEL it fails, and no plugin is called': async (rig) => {
      const attachment = rig.attachment(['a']);
      await rig.runtime.add(attachment);
      await rig.runtime.del(attachment);
      await refusal(rig.runtime.check(attachment), 'CNI_CHECK_FAILED');
      assert.equal(rig.order(), 'a:ADD a:DEL');
    },
    'a plugin that hangs is a timeout, not a failed check': async (rig) => {
      const attachment = rig.attachment(['a']);
      await rig.runtime.add(attachment);
      rig.script('a', 'CHECK', ['sleep 30']);
      await refusal(rig.runtime.check(attachment, { pluginTimeoutMs: 100 }), 'CNI_PLUGIN_TIMEOUT');
    },
  }),
  ...section('2 Execution Protocol / STATUS', {
    'every plugin of a 1.1.0 list is asked, without an attachment': async (rig) => {
      await rig.runtime.status(rig.attachment([{ type: 'a', x: 1, capabilities: { ips: true } }, 'b'], { cniVersion: '1.1.0' }).conflist);
      assert.equal(rig.order(), 'a:STATUS b:STATUS');
      const call = callOf(rig, 'a', 'STATUS');
      assert.deepEqual(call.conf, { type: 'a', x: 1, name: 'net1', cniVersion: '1.1.0' });
      assert.deepEqual(Object.keys(call.env), ['CNI_COMMAND', 'CNI_PATH', 'PATH']);
    },
    'older lists are not asked': async (rig) => {
      await rig.runtime.status(rig.attachment(['a']).conflist);
      assert.equal(rig.order(), '');
    },
    'code 50 (cannot service ADD) is thrown with the error whole': async (rig) => {
      rig.script('a', 'STATUS', ['exit 1'], '{"cniVersion":"1.1.0","code":50,"msg":"daemon absent"}');
      const error = await refusal(rig.runtime.status(rig.attachment(['a', 'b'], { cniVersion: '1.1.0' }).conflist), 'CNI_PLUGIN_FAILED');
      assert.deepEqual(error.context.cniError, { cniVersion: '1.1.0', code: 50, msg: 'daemon absent' });
    },
  }),
  ...section('2 Execution Protocol / GC', {
    'plugins get the valid attachments, and no attachment of their own': async (rig) => {
      const { conflist } = rig.attachment(['a', 'b'], { cniVersion: '1.1.0' });
      await rig.runtime.gc(conflist, [{ containerId: 'c1', ifname: 'eth0' }]);
      assert.equal(rig.order(), 'a:VERSION a:GC b:VERSION b:GC');
      const call = callOf(rig, 'a', 'GC');
      assert.deepEqual(call.conf, {
        type: 'a',
        name: 'net1',
        cniVersion: '1.1.0',
        'cni.dev/valid-attachments': [{ containerID: 'c1', ifname: 'eth0' }],
      });
      assert.deepEqual(Object.keys(call.env), ['CNI_COMMAND', 'CNI_PATH', 'PATH']);
    },
    'cached attachments that are not valid any more get a DEL first': async (rig) => {
      const stale = rig.attachment(['a'], { cniVersion: '1.1.0', containerId: 'stale' });
      const valid = { ...stale, containerId: 'valid' };
      await rig.runtime.add(stale);
      await rig.runtime.add(valid);
      rig.forget();
      const removed = await rig.runtime.gc(stale.conflist, [{ containerId: 'valid', ifname: 'eth0' }]);
      assert.equal(rig.order(), 'a:DEL a:VERSION a:GC');
      assert.equal(callOf(rig, 'a', 'DEL').env.CNI_CONTAINERID, 'stale');
      assert.deepEqual(callOf(rig, 'a', 'DEL').conf?.prevResult, JSON.parse(result('1.1.0')));
      assert.deepEqual(
        removed.map((one) => one.file),
        [rig.cacheFile(stale)],
      );
      assert.ok(existsSync(rig.cacheFile(valid)) && !existsSync(rig.cacheFile(stale)));
    },
    'the same container on another interface is another attachment': async (rig) => {
      const first = rig.attachment(['a']);
      const second = { ...first, ifname: 'eth1' };
      await rig.runtime.add(first);
      await rig.runtime.add(second);
      await rig.runtime.gc(first.conflist, [{ containerId: 'c0ffee', ifname: 'eth1' }]);
      assert.ok(existsSync(rig.cacheFile(second)) && !existsSync(rig.cacheFile(first)));
    },
    'a stale attachment is deleted with the list that it was added with': async (rig) => {
      const old = rig.attachment([{ type: 'b', bridge: 'old0' }]);
      await rig.runtime.add(old);
      rig.forget();
      await rig.runtime.gc(rig.attachment([{ type: 'a', bridge: 'new0' }]).conflist, []);
      assert.equal(rig.order(), 'b:DEL');
      assert.equal(callOf(rig, 'b', 'DEL').conf?.bridge, 'old0');
    },
    'attachments of other networks are left alone': async (rig) => {
      const other = rig.attachment(['a'], { list: { name: 'net2' } });
      await rig.runtime.add(other);
      assert.deepEqual(await rig.runtime.gc(rig.attachment(['a']).conflist, []), []);
      assert.ok(existsSync(rig.cacheFile(other)));
    },
    'lists before 1.1.0 get the DELs, but no GC': async (rig) => {
      const stale = rig.attachment(['a']);
      await rig.runtime.add(stale);
      rig.forget();
      await rig.runtime.gc(stale.conflist, []);
      assert.equal(rig.order(), 'a:DEL');
    },
    'a plugin that does not speak 1.1.0 gets no GC': async (rig) => {
      rig.script('a', 'VERSION', [], '{"cniVersion":"1.0.0","supportedVersions":["1.0.0"]}');
      await rig.runtime.gc(rig.attachment(['a', 'b'], { cniVersion: '1.1.0' }).conflist, []);
      assert.equal(rig.order(), 'a:VERSION b:VERSION b:GC');
    },
    'disableGC: nothing is called and nothing removed': async (rig) => {
      const stale = rig.attachment(['a'], { cniVersion: '1.1.0', list: { disableGC: true } });
      await rig.runtime.add(stale);
      rig.forget();
      assert.deepEqual(await rig.runtime.gc(stale.conflist, []), []);
      assert.equal(rig.order(), '');
      assert.ok(existsSync(rig.cacheFile(stale)));
    },
    'goes on after an error and reports all of them': async (rig) => {
      const stale = rig.attachment(['a', 'b'], { cniVersion: '1.1.0' });
      await rig.runtime.add(stale);
      rig.forget();
      rig.script('b', 'DEL', ['exit 1'], '{"code":100,"msg":"first"}');
      rig.script('a', 'GC', ['exit 1'], '{"code":101,"msg":"second"}');
      const error = await refusal(rig.runtime.gc(stale.conflist, []), 'CNI_PLUGIN_FAILED');
      assert.equal(rig.order(), 'b:DEL a:DEL a:VERSION a:GC b:VERSION b:GC');
      assert.match(error.message, /first/);
      assert.match((error.context.errors as ErrorRecord[]).map((one) => one.message).join(), /second/);
    },
  }),
  ...section('2 Execution Protocol / VERSION', {
    'gives the versions that the plugin names': async (rig) => {
      assert.deepEqual(await rig.runtime.version('a'), ['0.3.1', '0.4.0', '1.0.0', '1.1.0']);
      const call = callOf(rig, 'a', 'VERSION');
      assert.deepEqual(call.conf, { cniVersion: '1.1.0' });
      assert.deepEqual(Object.keys(call.env), ['CNI_COMMAND', 'CNI_PATH', 'PATH']);
    },
    'a binary is asked once, a changed binary again': async (rig) => {
      await rig.runtime.version('a');
      await rig.runtime.version('a');
      assert.equal(rig.order(), 'a:VERSION');
      utimesSync(`${rig.binDir}/a`, 1, 1);
      await rig.runtime.version('a');
      assert.equal(rig.order(), 'a:VERSION a:VERSION');
    },
    'an answer without supportedVersions is refused': async (rig) => {
      rig.script('a', 'VERSION', [], '{"cniVersion":"1.1.0"}');
      await refusal(rig.runtime.version('a'), 'CNI_RESULT_INVALID');
    },
    'an answer that is no JSON is refused': async (rig) => {
      rig.script('a', 'VERSION', [], 'bridge v1.1.1');
      await refusal(rig.runtime.version('a'), 'CNI_RESULT_INVALID');
    },
    'validate: a list that every plugin speaks is good': async (rig) => {
      assert.deepEqual(await rig.runtime.validate(rig.attachment(['a', { type: 'b', ipam: { type: 'c' } }]).conflist), []);
      assert.equal(rig.order(), 'a:VERSION b:VERSION c:VERSION');
    },
    'validate: names the plugin that does not speak the version, IPAM plugins too': async (rig) => {
      rig.script('c', 'VERSION', [], '{"cniVersion":"0.4.0","supportedVersions":["0.3.1","0.4.0"]}');
      const [error, ...others] = await rig.runtime.validate(rig.attachment([{ type: 'a', ipam: { type: 'c' } }]).conflist);
      assert.equal(error?.code, 'CNI_VERSION_UNSUPPORTED');
      assert.equal(error.context.plugin, 'c');
      assert.deepEqual(others, []);
    },
    'validate: reports every missing plugin, IPAM plugins too': async (rig) => {
      const errors = await rig.runtime.validate(rig.attachment(['x', { type: 'a', ipam: { type: 'y' } }, 'z']).conflist);
      assert.deepEqual(
        errors.map((error) => [error.code, error.context.plugin]),
        ['x', 'z', 'y'].map((plugin) => ['CNI_PLUGIN_MISSING', plugin]),
      );
    },
  }),
];
