import assert from 'node:assert/strict';
import { chmodSync, closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { ErrorRecord } from '../../../../src/model/errors.ts';
import type { PluginRig } from '../../../support/scripted-plugin.ts';
import { until } from '../../../support/until.ts';
import { callOf, refusal, result, section } from './case.ts';

const undone = 'c:DEL b:DEL a:DEL';

export const addCases = [
  ...section('3 Execution of Network Configurations / Adding an attachment', {
    'plugins run in the order of the list': async (rig) => {
      await rig.runtime.add(rig.attachment(['b', 'c', 'a']));
      assert.equal(rig.order(), 'b:ADD c:ADD a:ADD');
    },
    'the same plugin may be in a list twice': async (rig) => {
      await rig.runtime.add(rig.attachment(['a', 'a']));
      assert.equal(rig.order(), 'a:ADD a:ADD');
    },
    'the first plugin gets no prevResult': async (rig) => {
      await rig.runtime.add(rig.attachment([{ type: 'a', prevResult: { cniVersion: '1.0.0' } }]));
      assert.ok(!('prevResult' in (callOf(rig, 'a', 'ADD').conf ?? {})));
    },
    'each later plugin gets the result of the one before it': async (rig) => {
      const second = {
        cniVersion: '1.0.0',
        interfaces: [
          { name: 'x0', mac: '00:11:22:33:44:55' },
          { name: 'eth0', sandbox: '/n' },
        ],
      };
      rig.script('b', 'ADD', [], JSON.stringify(second));
      await rig.runtime.add(rig.attachment(['a', 'b', 'c']));
      assert.deepEqual(callOf(rig, 'b', 'ADD').conf?.prevResult, JSON.parse(result('1.0.0')));
      assert.deepEqual(callOf(rig, 'c', 'ADD').conf?.prevResult, second);
    },
    'the result of the last plugin is the result of the list': async (rig) => {
      rig.script('c', 'ADD', [], result('1.0.0', { ips: [{ address: 'fd00::7/64', gateway: 'fd00::1' }] }));
      const answer = await rig.runtime.add(rig.attachment(['a', 'b', 'c']));
      assert.deepEqual(answer.ips, [{ address: 'fd00::7/64', gateway: 'fd00::1' }]);
    },
    'a plugin that is in no folder: nothing is executed at all': async (rig) => {
      const error = await refusal(rig.runtime.add(rig.attachment(['a', 'absent', 'c'])), 'CNI_PLUGIN_MISSING');
      assert.equal(error.context.plugin, 'absent');
      assert.equal(rig.order(), '');
      assert.deepEqual((await rig.runtime.cached()).entries, []);
    },
    'a file that is not executable is no plugin': async (rig) => {
      chmodSync(`${rig.binDir}/a`, 0o644);
      await refusal(rig.runtime.add(rig.attachment(['a'])), 'CNI_PLUGIN_MISSING');
    },
    'a plugin whose interpreter is missing is reported as missing': async (rig) => {
      writeFileSync(`${rig.binDir}/a`, '#!/does/not/exist\n');
      await refusal(rig.runtime.add(rig.attachment(['a'])), 'CNI_PLUGIN_MISSING');
    },
    'a plugin that is being written is tried again': async (rig) => {
      const writer = openSync(`${rig.binDir}/a`, 'r+');
      const adding = rig.runtime.add(rig.attachment(['a']));
      setTimeout(() => closeSync(writer), 150);
      await adding;
      assert.equal(rig.order(), 'a:ADD');
    },
    'a plugin that ends without reading its configuration does no harm': async (rig) => {
      rig.script('a', 'ADD', ['no-read'], result('1.0.0'));
      await rig.runtime.add(rig.attachment([{ type: 'a', large: 'x'.repeat(200_000) }]));
      assert.equal(rig.order(), 'a:ADD');
    },
    'a child that keeps stdout open does not hang the runtime, and is killed': async (rig) => {
      rig.script('a', 'ADD', ['hold 30'], result('1.0.0'));
      const begin = performance.now();
      await rig.runtime.add(rig.attachment(['a']));
      assert.ok(performance.now() - begin < 5000);
      const child = readFileSync(`${rig.base}/held`, 'utf8');
      await until(
        'the child is killed',
        () => !existsSync(`/proc/${child}`) || /^State:\tZ/m.test(readFileSync(`/proc/${child}/status`, 'utf8')),
        2,
      );
    },
  }),
  ...section('3 Execution of Network Configurations / Lifecycle & Ordering', {
    ...Object.fromEntries(
      ['a', 'b', 'c'].map(
        (failing, index) =>
          [
            `a failure of plugin ${index + 1} of 3: DEL of all in reverse, later ones never added`,
            async (rig) => {
              rig.script(failing, 'ADD', ['exit 1'], '{"cniVersion":"1.0.0","code":100,"msg":"no"}');
              const error = await refusal(rig.runtime.add(rig.attachment(['a', 'b', 'c'])), 'CNI_PLUGIN_FAILED');
              const added = ['a:ADD', 'b:ADD', 'c:ADD'].slice(0, index + 1).join(' ');
              assert.equal(rig.order(), `${added} ${undone}`);
              assert.equal(error.context.plugin, failing);
              assert.equal(error.context.undone, true);
              assert.ok(!existsSync(rig.cacheFile(rig.attachment([]))));
            },
          ] satisfies [string, (rig: PluginRig) => Promise<void>],
      ),
    ),
    'the undo gives the last good result as prevResult': async (rig) => {
      rig.script('b', 'ADD', [], result('1.0.0', { dns: { domain: 'b.lab' } }));
      rig.script('c', 'ADD', ['exit 1'], '{"code":100,"msg":"no"}');
      await refusal(rig.runtime.add(rig.attachment(['a', 'b', 'c'])), 'CNI_PLUGIN_FAILED');
      for (const plugin of ['a', 'b', 'c']) {
        assert.deepEqual(callOf(rig, plugin, 'DEL').conf?.prevResult, JSON.parse(result('1.0.0', { dns: { domain: 'b.lab' } })));
      }
    },
    'the undo of a first plugin that failed has no prevResult': async (rig) => {
      rig.script('a', 'ADD', ['exit 1'], '{"code":100,"msg":"no"}');
      await refusal(rig.runtime.add(rig.attachment(['a', 'b', 'c'])), 'CNI_PLUGIN_FAILED');
      assert.ok(!('prevResult' in (callOf(rig, 'a', 'DEL').conf ?? {})));
    },
    'an undo that fails goes on, and the error says what is left': async (rig) => {
      rig.script('b', 'ADD', ['exit 1'], '{"code":100,"msg":"first"}');
      rig.script('c', 'DEL', ['exit 1'], '{"code":101,"msg":"second"}');
      rig.script('a', 'DEL', ['exit 1'], '{"code":102,"msg":"third"}');
      const attachment = rig.attachment(['a', 'b', 'c']);
      const error = await refusal(rig.runtime.add(attachment), 'CNI_PLUGIN_FAILED');
      assert.equal(rig.order(), `a:ADD b:ADD ${undone}`);
      assert.match(error.message, /first/);
      assert.equal(error.context.undone, false);
      const left = (error.context.undoErrors as ErrorRecord[]).map((one) => one.context.plugin);
      assert.deepEqual(left, ['c', 'a']);
      assert.ok(existsSync(rig.cacheFile(attachment)), 'what must still be deleted stays in the cache');
    },
    'an abort during ADD kills the plugin, undoes all and is CNI_CANCELLED': async (rig) => {
      rig.script('b', 'ADD', ['sleep 30']);
      const controller = new AbortController();
      const adding = rig.runtime.add(rig.attachment(['a', 'b', 'c']), { signal: controller.signal });
      await until('the plugin runs', () => rig.order() === 'a:ADD b:ADD', 5);
      controller.abort();
      const error = await refusal(adding, 'CNI_CANCELLED');
      assert.equal(rig.order(), `a:ADD b:ADD ${undone}`);
      assert.equal(error.context.undone, true);
    },
    'an abort before ADD executes nothing': async (rig) => {
      await refusal(rig.runtime.add(rig.attachment(['a']), { signal: AbortSignal.abort() }), 'CNI_CANCELLED');
      assert.equal(rig.order(), '');
      assert.ok(!existsSync(rig.cacheFile(rig.attachment([]))));
    },
    'an invalid result is a failure like any other: DEL follows': async (rig) => {
      rig.script('b', 'ADD', [], 'hello');
      await refusal(rig.runtime.add(rig.attachment(['a', 'b', 'c'])), 'CNI_RESULT_INVALID');
      assert.equal(rig.order(), `a:ADD b:ADD ${undone}`);
    },
    'a plugin that vanishes between plugins: DEL of the others, and the missing one is named': async (rig) => {
      rig.script('a', 'ADD', ['sleep 1']);
      const adding = rig.runtime.add(rig.attachment(['a', 'b']));
      await until('the plugin runs', () => rig.order() === 'a:ADD', 5);
      rmSync(`${rig.binDir}/b`);
      const error = await refusal(adding, 'CNI_PLUGIN_MISSING');
      assert.equal(rig.order(), 'a:ADD a:DEL');
      assert.equal(error.context.undone, false);
    },
    'different containers are added at the same time': async (rig) => {
      const ids = ['c1', 'c2', 'c3', 'c4', 'c5'];
      await Promise.all(
        ids.map((containerId) => rig.runtime.add(rig.attachment([], { containerId, conflist: rig.attachment(['a']).conflist }))),
      );
      assert.equal((await rig.runtime.cached()).entries.length, 5);
    },
  }),
];
