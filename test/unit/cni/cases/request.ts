import assert from 'node:assert/strict';
import { callOf, section } from './case.ts';

export const requestCases = [
  ...section('3 Execution of Network Configurations / Deriving request configuration', {
    'name and cniVersion are those of the list, whatever the plugin says': async (rig) => {
      await rig.runtime.add(rig.attachment([{ type: 'a', name: 'other', cniVersion: '0.1.0' }]));
      const { name, cniVersion, type } = callOf(rig, 'a', 'ADD').conf ?? {};
      assert.deepEqual({ name, cniVersion, type }, { name: 'net1', cniVersion: '1.0.0', type: 'a' });
    },
    'all other keys pass through unchanged': async (rig) => {
      const own = { type: 'a', keyA: ['some more', { b: null }], args: { cni: { ips: ['10.0.0.9'] } }, ipMasq: false, ünïcode: '\u0000"' };
      await rig.runtime.add(rig.attachment([own]));
      assert.deepEqual(callOf(rig, 'a', 'ADD').conf, { ...own, name: 'net1', cniVersion: '1.0.0' });
    },
    'capabilities is not sent': async (rig) => {
      const attachment = rig.attachment([{ type: 'a', capabilities: { mac: true } }], { capabilityArgs: { mac: '00:11:22:33:44:55' } });
      await rig.runtime.add(attachment);
      await rig.runtime.check(attachment);
      await rig.runtime.del(attachment);
      for (const verb of ['ADD', 'CHECK', 'DEL']) assert.ok(!('capabilities' in (callOf(rig, 'a', verb).conf ?? {})), verb);
    },
    'keys that start with cni.dev/ are the runtime’s and are not passed through': async (rig) => {
      await rig.runtime.add(rig.attachment([{ type: 'a', 'cni.dev/valid-attachments': [] }]));
      assert.ok(!('cni.dev/valid-attachments' in (callOf(rig, 'a', 'ADD').conf ?? {})));
    },
    'keys of the list are not sent to the plugins': async (rig) => {
      await rig.runtime.add(rig.attachment(['a'], { list: { disableCheck: true, comment: 'x' } }));
      assert.deepEqual(Object.keys(callOf(rig, 'a', 'ADD').conf ?? {}).sort(), ['cniVersion', 'name', 'type']);
    },
  }),
  ...section('3 Execution of Network Configurations / Deriving runtimeConfig', {
    'holds what the plugin declares and the caller gives': async (rig) => {
      const portMappings = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }];
      const plugin = { type: 'a', capabilities: { portMappings: true, mac: true, bandwidth: false } };
      await rig.runtime.add(rig.attachment([plugin, 'b'], { capabilityArgs: { portMappings, bandwidth: { ingressRate: 1 }, ips: [] } }));
      assert.deepEqual(callOf(rig, 'a', 'ADD').conf?.runtimeConfig, { portMappings });
    },
    'is absent when the plugin declares nothing': async (rig) => {
      await rig.runtime.add(rig.attachment(['a'], { capabilityArgs: { ips: ['10.0.0.2/24'] } }));
      assert.ok(!('runtimeConfig' in (callOf(rig, 'a', 'ADD').conf ?? {})));
    },
    'each plugin of a list gets its own': async (rig) => {
      const plugins = [
        { type: 'a', capabilities: { ips: true } },
        { type: 'b', capabilities: { mac: true } },
      ];
      await rig.runtime.add(rig.attachment(plugins, { capabilityArgs: { ips: ['10.0.0.2/24'], mac: '00:11:22:33:44:55' } }));
      assert.deepEqual(callOf(rig, 'a', 'ADD').conf?.runtimeConfig, { ips: ['10.0.0.2/24'] });
      assert.deepEqual(callOf(rig, 'b', 'ADD').conf?.runtimeConfig, { mac: '00:11:22:33:44:55' });
    },
    'a runtimeConfig written into the file is not sent': async (rig) => {
      await rig.runtime.add(rig.attachment([{ type: 'a', runtimeConfig: { portMappings: [{ hostPort: 22 }] } }]));
      assert.ok(!('runtimeConfig' in (callOf(rig, 'a', 'ADD').conf ?? {})));
    },
    'a name that every object inherits is no capability': async (rig) => {
      await rig.runtime.add(rig.attachment([{ type: 'a', capabilities: {} }], { capabilityArgs: { toString: 'x', constructor: 'y' } }));
      assert.ok(!('runtimeConfig' in (callOf(rig, 'a', 'ADD').conf ?? {})));
    },
    'is the same at DEL and CHECK': async (rig) => {
      const attachment = rig.attachment([{ type: 'a', capabilities: { ips: true } }], { capabilityArgs: { ips: ['10.0.0.2/24'] } });
      await rig.runtime.add(attachment);
      await rig.runtime.check(attachment);
      await rig.runtime.del(attachment);
      for (const verb of ['CHECK', 'DEL']) assert.deepEqual(callOf(rig, 'a', verb).conf?.runtimeConfig, { ips: ['10.0.0.2/24'] });
    },
  }),
];
