import assert from 'node:assert/strict';
import { callOf, refusal, result, section } from './case.ts';

export const errorCases = [
  ...section('5 Result Types / Error', {
    'the error object is kept whole, and its message and details are quoted': async (rig) => {
      const cniError = {
        cniVersion: '1.0.0',
        code: 7,
        msg: 'Invalid Configuration',
        details: 'Network 192.168.0.0/31 too small',
        extra: { a: 1 },
      };
      rig.script('a', 'ADD', ['exit 1'], JSON.stringify(cniError));
      const error = await refusal(rig.runtime.add(rig.attachment(['a'])), 'CNI_PLUGIN_FAILED');
      assert.deepEqual(error.context.cniError, cniError);
      assert.match(
        error.message,
        /ADD of CNI plugin a \(eth0 of c0ffee on network net1\) failed with code 7: Invalid Configuration: Network 192/,
      );
      assert.equal(error.name, 'CNIError');
    },
    'code 11 (try again later) is retryable': async (rig) => {
      rig.script('a', 'ADD', ['exit 1'], '{"cniVersion":"1.0.0","code":11,"msg":"busy"}');
      const error = await refusal(rig.runtime.add(rig.attachment(['a'])), 'CNI_PLUGIN_FAILED');
      assert.ok(error.retryable);
      assert.equal(error.context.tryAgainLater, true);
    },
    'an error object with exit code 0 is a failure': async (rig) => {
      rig.script('a', 'ADD', [], '{"cniVersion":"1.0.0","code":100,"msg":"no"}');
      await refusal(rig.runtime.add(rig.attachment(['a'])), 'CNI_PLUGIN_FAILED');
    },
    'an error object with exit code 0 is a failure at DEL too': async (rig) => {
      rig.script('a', 'DEL', [], '{"cniVersion":"1.0.0","code":100,"msg":"no"}');
      await refusal(rig.runtime.del(rig.attachment(['a'])), 'CNI_PLUGIN_FAILED');
    },
    'an error object on stderr counts when stdout is empty (section 2 says stderr)': async (rig) => {
      rig.script('a', 'ADD', ['stderr {"code":100,"msg":"on stderr"}', 'exit 1'], '');
      const error = await refusal(rig.runtime.add(rig.attachment(['a'])), 'CNI_PLUGIN_FAILED');
      assert.match(error.message, /on stderr/);
    },
    'log lines on stderr do no harm and are kept with an error': async (rig) => {
      rig.script('a', 'ADD', ['stderr bridge: looking\\n'], result('1.0.0'));
      rig.script('b', 'ADD', ['stderr tuning: lost\\n', 'exit 1'], '{"code":100,"msg":"no"}');
      const error = await refusal(rig.runtime.add(rig.attachment(['a', 'b'])), 'CNI_PLUGIN_FAILED');
      assert.equal(error.context.stderr, 'tuning: lost');
    },
  }),
  ...section('2 Execution Protocol / Errors', {
    'a non-zero exit without an error object is a crash that quotes stderr': async (rig) => {
      rig.script('a', 'ADD', ['stderr panic: runtime error\\n', 'exit 2'], 'garbage');
      const error = await refusal(rig.runtime.add(rig.attachment(['a'])), 'CNI_PLUGIN_CRASHED');
      assert.match(error.message, /exit code 2.*panic: runtime error/);
      assert.equal(error.context.exitCode, 2);
    },
    'a non-zero exit with a valid result is a failure all the same': async (rig) => {
      rig.script('a', 'ADD', ['exit 1'], result('1.0.0'));
      await refusal(rig.runtime.add(rig.attachment(['a'])), 'CNI_PLUGIN_CRASHED');
    },
    'a plugin that is killed by a signal is a crash that names it': async (rig) => {
      rig.script('a', 'ADD', ['die SEGV'], '');
      const error = await refusal(rig.runtime.add(rig.attachment(['a'])), 'CNI_PLUGIN_CRASHED');
      assert.match(error.message, /SIGSEGV/);
    },
    'a plugin that ignores SIGTERM is killed at its deadline': async (rig) => {
      rig.script('a', 'ADD', ['ignore-term', 'sleep 30']);
      const error = await refusal(rig.runtime.add(rig.attachment(['a']), { pluginTimeoutMs: 150 }), 'CNI_PLUGIN_TIMEOUT');
      assert.equal(error.context.plugin, 'a');
      assert.throws(() => process.kill(callOf(rig, 'a', 'ADD').pid, 0));
    },
    'the deadline counts for each plugin, not for the chain': async (rig) => {
      for (const plugin of ['a', 'b', 'c']) rig.script(plugin, 'ADD', ['sleep 1'], result('1.0.0'));
      await rig.runtime.add(rig.attachment(['a', 'b', 'c']), { pluginTimeoutMs: 2000 });
    },
    'more than 1 MiB on stdout: killed, refused and undone': async (rig) => {
      rig.script('a', 'ADD', ['flood stdout 1100000', 'sleep 30']);
      await refusal(rig.runtime.add(rig.attachment(['a'])), 'CNI_RESULT_INVALID');
      assert.equal(rig.order(), 'a:ADD a:DEL');
    },
    'more than 64 KiB on stderr: killed, refused and undone': async (rig) => {
      rig.script('a', 'ADD', ['flood stderr 70000', 'sleep 30']);
      await refusal(rig.runtime.add(rig.attachment(['a'])), 'CNI_RESULT_INVALID');
      assert.equal(rig.order(), 'a:ADD a:DEL');
    },
  }),
];
