import assert from 'node:assert/strict';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import type { ErrorRecord } from '../../../../src/model/errors.ts';
import { until } from '../../../support/until.ts';
import { callOf, refusal, result, section } from './case.ts';

export const delCases = section('3 Execution of Network Configurations / Deleting an attachment', {
  'plugins run in reverse order': async (rig) => {
    await rig.runtime.del(rig.attachment(['a', 'b', 'c']));
    assert.equal(rig.order(), 'c:DEL b:DEL a:DEL');
  },
  'all plugins get the final result of ADD as prevResult': async (rig) => {
    const attachment = rig.attachment(['a', 'b']);
    rig.script('b', 'ADD', [], result('1.0.0', { dns: { search: ['final.lab'] } }));
    await rig.runtime.add(attachment);
    await rig.runtime.del(attachment);
    for (const plugin of ['a', 'b']) {
      assert.deepEqual(callOf(rig, plugin, 'DEL').conf?.prevResult, JSON.parse(result('1.0.0', { dns: { search: ['final.lab'] } })));
    }
  },
  'there is no prevResult before 0.4.0': async (rig) => {
    const attachment = rig.attachment(['a'], { cniVersion: '0.3.1' });
    await rig.runtime.add(attachment);
    await rig.runtime.del(attachment);
    assert.ok(!('prevResult' in (callOf(rig, 'a', 'DEL').conf ?? {})));
  },
  'nothing cached: DEL runs without prevResult': async (rig) => {
    await rig.runtime.del(rig.attachment(['a']));
    assert.ok(!('prevResult' in (callOf(rig, 'a', 'DEL').conf ?? {})));
  },
  'a damaged cache file does not stop it': async (rig) => {
    const attachment = rig.attachment(['a']);
    await rig.runtime.add(attachment);
    writeFileSync(rig.cacheFile(attachment), '{"kind":"cniCa');
    await rig.runtime.del(attachment);
    assert.ok(!existsSync(rig.cacheFile(attachment)));
  },
  'goes on after a failure, throws the first and keeps the others': async (rig) => {
    rig.script('c', 'DEL', ['exit 1'], '{"code":101,"msg":"first"}');
    rig.script('a', 'DEL', ['exit 1'], '{"code":102,"msg":"second"}');
    const attachment = rig.attachment(['a', 'b', 'c']);
    await rig.runtime.add(attachment);
    const error = await refusal(rig.runtime.del(attachment), 'CNI_PLUGIN_FAILED');
    assert.equal(rig.order(), 'a:ADD b:ADD c:ADD c:DEL b:DEL a:DEL');
    assert.equal(error.context.plugin, 'c');
    assert.deepEqual(
      (error.context.errors as ErrorRecord[]).map((one) => one.context.plugin),
      ['a'],
    );
    assert.ok(existsSync(rig.cacheFile(attachment)), 'the next DEL needs the result again');
  },
  'after a failure the next DEL gets the result again': async (rig) => {
    const attachment = rig.attachment(['a']);
    await rig.runtime.add(attachment);
    rig.script('a', 'DEL', ['exit 1'], '{"code":11,"msg":"later"}');
    await refusal(rig.runtime.del(attachment), 'CNI_PLUGIN_FAILED');
    rig.unscript('a', 'DEL');
    rig.forget();
    await rig.runtime.del(attachment);
    assert.deepEqual(callOf(rig, 'a', 'DEL').conf?.prevResult, JSON.parse(result('1.0.0')));
  },
  'a missing plugin is an error, the others run': async (rig) => {
    const attachment = rig.attachment(['a', 'b', 'c']);
    await rig.runtime.add(attachment);
    rmSync(`${rig.binDir}/b`);
    const error = await refusal(rig.runtime.del(attachment), 'CNI_PLUGIN_MISSING');
    assert.equal(error.context.plugin, 'b');
    assert.equal(rig.order(), 'a:ADD b:ADD c:ADD c:DEL a:DEL');
  },
  'a namespace that is gone becomes an empty CNI_NETNS': async (rig) => {
    await rig.runtime.del(rig.attachment(['a'], { netns: '/run/netns/pve-cni-test-gone' }));
    assert.equal(callOf(rig, 'a', 'DEL').env.CNI_NETNS, '');
  },
  'a file at which no namespace is mounted any more becomes an empty CNI_NETNS': async (rig) => {
    writeFileSync(`${rig.base}/pin`, '');
    await rig.runtime.del(rig.attachment(['a'], { netns: `${rig.base}/pin` }));
    assert.equal(callOf(rig, 'a', 'DEL').env.CNI_NETNS, '');
  },
  'an empty namespace is allowed': async (rig) => {
    await rig.runtime.del(rig.attachment(['a'], { netns: '' }));
    assert.equal(callOf(rig, 'a', 'DEL').env.CNI_NETNS, '');
  },
  'error code 3 (container unknown) means that nothing is left to do': async (rig) => {
    rig.script('a', 'DEL', ['exit 1'], '{"code":3,"msg":"unknown container"}');
    await rig.runtime.del(rig.attachment(['a', 'b']));
    assert.equal(rig.order(), 'b:DEL a:DEL');
  },
  'sbr’s "no such file or directory" without a namespace is a success': async (rig) => {
    rig.script('a', 'DEL', ['exit 1'], '{"code":999,"msg":"no such file or directory"}');
    await rig.runtime.del(rig.attachment(['a'], { netns: '' }));
    await refusal(rig.runtime.del(rig.attachment(['a'])), 'CNI_PLUGIN_FAILED');
  },
  'output of a DEL that succeeded is ignored': async (rig) => {
    rig.script('a', 'DEL', [], 'deleted.');
    await rig.runtime.del(rig.attachment(['a']));
  },
  'removes the cache entry': async (rig) => {
    const attachment = rig.attachment(['a']);
    await rig.runtime.add(attachment);
    await rig.runtime.del(attachment);
    assert.ok(!existsSync(rig.cacheFile(attachment)));
  },
  'an abort kills the plugin that runs and starts no other': async (rig) => {
    rig.script('c', 'DEL', ['sleep 30']);
    const controller = new AbortController();
    const deleting = rig.runtime.del(rig.attachment(['a', 'b', 'c']), { signal: controller.signal });
    await until('the plugin runs', () => rig.order() !== '', 5);
    controller.abort();
    await refusal(deleting, 'CNI_CANCELLED');
    assert.equal(rig.order(), 'c:DEL');
  },
  'a shorter deadline of the caller counts': async (rig) => {
    rig.script('a', 'DEL', ['sleep 30']);
    const error = await refusal(rig.runtime.del(rig.attachment(['a', 'b']), { pluginTimeoutMs: 100 }), 'CNI_PLUGIN_TIMEOUT');
    assert.equal(error.context.timeoutMs, 100);
    assert.equal(rig.order(), 'b:DEL a:DEL');
  },
});
