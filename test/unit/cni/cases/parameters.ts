import assert from 'node:assert/strict';
import type { CniAttachment } from '../../../../src/model/cni.ts';
import type { PluginRig } from '../../../support/scripted-plugin.ts';
import { callOf, refusal, section } from './case.ts';

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

async function refused(rig: PluginRig, more: Partial<CniAttachment>, field: string) {
  for (const verb of ['add', 'del', 'check'] as const) {
    const error = await refusal(rig.runtime[verb](rig.attachment(['a'], more)), 'CNI_CONFIG_INVALID');
    assert.match(String(error.context.field), new RegExp(`^${field}`));
  }
  assert.equal(rig.order(), '');
}

export const parameterCases = section('2 Execution Protocol / Parameters', {
  'ADD gets exactly the six variables and PATH': async (rig) => {
    const attachment = rig.attachment(['a'], { args: { IP: '10.0.0.9', K8S_POD_NAME: 'web-1' } });
    await rig.runtime.add(attachment);
    assert.deepEqual(callOf(rig, 'a', 'ADD').env, {
      CNI_COMMAND: 'ADD',
      CNI_CONTAINERID: 'c0ffee',
      CNI_NETNS: attachment.netns,
      CNI_IFNAME: 'eth0',
      CNI_ARGS: 'IP=10.0.0.9;K8S_POD_NAME=web-1',
      CNI_PATH: rig.binDir,
      PATH: path,
    });
  },
  'DEL and CHECK get the same parameters as ADD': async (rig) => {
    const attachment = rig.attachment(['a'], { args: { IP: '10.0.0.9' } });
    await rig.runtime.add(attachment);
    await rig.runtime.check(attachment);
    await rig.runtime.del(attachment);
    const { CNI_COMMAND: _, ...given } = callOf(rig, 'a', 'ADD').env;
    for (const verb of ['CHECK', 'DEL']) assert.deepEqual(callOf(rig, 'a', verb).env, { ...given, CNI_COMMAND: verb });
  },
  'nothing of the environment of the service reaches a plugin': async (rig) => {
    process.env.SECRET_OF_THE_SERVICE = 'x';
    try {
      await rig.runtime.add(rig.attachment(['a']));
    } finally {
      delete process.env.SECRET_OF_THE_SERVICE;
    }
    assert.ok(!('SECRET_OF_THE_SERVICE' in callOf(rig, 'a', 'ADD').env));
  },
  'TRACEPARENT carries the trace context when there is one': async (rig) => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await rig.withOptions({ traceparent: () => traceparent }).add(rig.attachment(['a']));
    assert.equal(callOf(rig, 'a', 'ADD').env.TRACEPARENT, traceparent);
  },
  'CNI_ARGS is empty when there are no arguments': async (rig) => {
    await rig.runtime.add(rig.attachment(['a']));
    assert.equal(callOf(rig, 'a', 'ADD').env.CNI_ARGS, '');
  },
  'CNI_PATH lists all plugin folders in their order': async (rig) => {
    const pluginDirs = ['/usr/lib/does-not-exist', rig.binDir];
    await rig.withOptions({ pluginDirs }).add(rig.attachment(['a']));
    assert.equal(callOf(rig, 'a', 'ADD').env.CNI_PATH, pluginDirs.join(':'));
  },
  'a plugin is executed without arguments and leads its own process group': async (rig) => {
    await rig.runtime.add(rig.attachment(['a']));
    const call = callOf(rig, 'a', 'ADD');
    assert.equal(call.argumentCount, 0);
    assert.equal(call.processGroup, call.pid);
  },
  'every run of a plugin is a span named after plugin and verb': async (rig) => {
    const attachment = rig.attachment(['a', 'b']);
    await rig.runtime.add(attachment);
    await rig.runtime.del(attachment);
    assert.deepEqual(
      rig.spans.map((span) => span.name),
      ['plugin:a:ADD', 'plugin:b:ADD', 'plugin:b:DEL', 'plugin:a:DEL'],
    );
    assert.deepEqual(rig.spans[0]?.facts, { plugin: 'a', network: 'net1', containerId: 'c0ffee', ifname: 'eth0' });
  },
  'an empty container id is refused': (rig) => refused(rig, { containerId: '' }, 'containerId'),
  'a container id with a slash is refused': (rig) => refused(rig, { containerId: 'a/../b' }, 'containerId'),
  'a container id that starts with a hyphen is refused': (rig) => refused(rig, { containerId: '-rf' }, 'containerId'),
  'a container id longer than a file name may be is refused': (rig) => refused(rig, { containerId: 'x'.repeat(129) }, 'containerId'),
  'an interface name of 16 characters is refused': (rig) => refused(rig, { ifname: 'e'.repeat(16) }, 'ifname'),
  'an interface name with a slash is refused': (rig) => refused(rig, { ifname: '../x' }, 'ifname'),
  'an interface name with a newline is refused': (rig) => refused(rig, { ifname: 'eth0\n' }, 'ifname'),
  'a relative path of a namespace is refused': (rig) => refused(rig, { netns: 'proc/self/ns/net' }, 'netns'),
  'a namespace path with a NUL is refused': (rig) => refused(rig, { netns: '/run/netns/a\0b' }, 'netns'),
  'ADD without a namespace is refused': async (rig) => {
    const error = await refusal(rig.runtime.add(rig.attachment(['a'], { netns: '' })), 'CNI_CONFIG_INVALID');
    assert.equal(error.context.field, 'netns');
  },
  'an argument whose name is not alphanumeric is refused': (rig) => refused(rig, { args: { 'A B': 'x' } }, 'args'),
  'an argument with a newline is refused': (rig) => refused(rig, { args: { A: 'x\ny' } }, 'args'),
});
