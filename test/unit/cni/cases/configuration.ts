import assert from 'node:assert/strict';
import { parseConflist } from '../../../../src/cni/conflist.ts';
import type { ErrorCode } from '../../../../src/model/error-codes.ts';
import { refusal, section } from './case.ts';

const file = 'networks/x.conflist';
const list = (more: object) => JSON.stringify({ cniVersion: '1.0.0', name: 'x', plugins: [{ type: 'a' }], ...more });

/** text → code, field */
const refused: Record<string, [string, ErrorCode, string?]> = {
  'text that is no JSON': ['{', 'CONFIG_SYNTAX'],
  'an empty file': ['', 'CONFIG_SYNTAX'],
  'a list instead of an object': ['[]', 'CNI_CONFIG_INVALID'],
  'neither plugins nor type': ['{"cniVersion":"1.0.0","name":"x"}', 'CNI_CONFIG_INVALID', 'plugins'],
  'no name': [JSON.stringify({ cniVersion: '1.0.0', plugins: [{ type: 'a' }] }), 'CNI_CONFIG_INVALID', 'name'],
  'a name that is a path': [list({ name: '../x' }), 'CNI_CONFIG_INVALID', 'name'],
  'no plugins in the list': [list({ plugins: [] }), 'CNI_CONFIG_INVALID', 'plugins'],
  'plugins that are no list': [list({ plugins: { type: 'a' } }), 'CNI_CONFIG_INVALID', 'plugins'],
  'a plugin that is no object': [list({ plugins: ['a'] }), 'CNI_CONFIG_INVALID', 'plugins[0]'],
  'a plugin without a type': [list({ plugins: [{ type: 'a' }, {}] }), 'CNI_CONFIG_INVALID', 'plugins[1].type'],
  'a type with a slash': [list({ plugins: [{ type: '../a' }] }), 'CNI_CONFIG_INVALID', 'plugins[0].type'],
  'an IPAM type with a slash': [
    list({ plugins: [{ type: 'a', ipam: { type: '/bin/sh' } }] }),
    'CNI_CONFIG_INVALID',
    'plugins[0].ipam.type',
  ],
  'a delegate’s type with a slash': [
    list({ plugins: [{ type: 'a', delegate: { type: '../sh' } }] }),
    'CNI_CONFIG_INVALID',
    'plugins[0].delegate.type',
  ],
  'an ipam that is no object': [list({ plugins: [{ type: 'a', ipam: 'host-local' }] }), 'CNI_CONFIG_INVALID', 'plugins[0].ipam'],
  'capabilities that are no object': [
    list({ plugins: [{ type: 'a', capabilities: ['mac'] }] }),
    'CNI_CONFIG_INVALID',
    'plugins[0].capabilities',
  ],
  'a capability that is no boolean': [
    list({ plugins: [{ type: 'a', capabilities: { mac: 'yes' } }] }),
    'CNI_CONFIG_INVALID',
    'plugins[0].capabilities.mac',
  ],
  'a disableCheck that is no boolean': [list({ disableCheck: 'true' }), 'CNI_CONFIG_INVALID', 'disableCheck'],
  'a disableGC that is no boolean': [list({ disableGC: 1 }), 'CNI_CONFIG_INVALID', 'disableGC'],
};

const chosen: Record<string, [object, string]> = {
  'the highest of cniVersion and cniVersions': [{ cniVersion: '0.4.0', cniVersions: ['0.3.1', '1.0.0'] }, '1.0.0'],
  'cniVersion when it is the highest': [{ cniVersion: '1.1.0', cniVersions: ['0.4.0'] }, '1.1.0'],
  'the highest that is known when a newer one is offered too': [{ cniVersion: '1.0.0', cniVersions: ['1.1.0', '1.2.0', '2.0.0'] }, '1.1.0'],
  'one of cniVersions when cniVersion is unknown': [{ cniVersion: '1.2.0', cniVersions: ['1.0.0'] }, '1.0.0'],
};

export const configurationCases = [
  ...section(
    '1 Network configuration format / Configuration format',
    Object.fromEntries(
      Object.entries(refused).map(([what, [text, code, field]]) => [
        `${what} is refused, naming file and field`,
        async () => {
          const error = await refusal(() => parseConflist(text, file), code);
          assert.ok(error.message.includes(file), error.message);
          if (field) assert.equal(error.context.field, field);
        },
      ]),
    ),
  ),
  ...section('1 Network configuration format / Configuration format', {
    'the example of the specification is accepted and unchanged': () => {
      const example = {
        cniVersion: '1.1.0',
        cniVersions: ['0.3.1', '0.4.0', '1.0.0', '1.1.0'],
        name: 'dbnet',
        plugins: [
          {
            type: 'bridge',
            bridge: 'cni0',
            keyA: ['some more', 'plugin specific', 'configuration'],
            ipam: { type: 'host-local', subnet: '10.1.0.0/16', gateway: '10.1.0.1', routes: [{ dst: '0.0.0.0/0' }] },
            dns: { nameservers: ['10.1.0.1'] },
          },
          { type: 'tuning', capabilities: { mac: true }, sysctl: { 'net.core.somaxconn': '500' } },
          { type: 'portmap', capabilities: { portMappings: true } },
        ],
      };
      assert.deepEqual(parseConflist(JSON.stringify(example), file), example);
    },
    'a single configuration becomes a list of one with all its keys': () => {
      const single = { cniVersion: '0.3.1', name: 'one', type: 'bridge', bridge: 'b0', disableCheck: 'mine' };
      assert.deepEqual(parseConflist(JSON.stringify(single), 'networks/one.conf'), { cniVersion: '0.3.1', name: 'one', plugins: [single] });
    },
    'Cilium’s file of 0.3.1 with an IPAM that is no plugin parses': () => {
      const text = `{ "cniVersion": "0.3.1", "name": "cilium", "type": "cilium-cni", "enable-endpoint-routes": true,
        "ipam": { "type": "cilium-ipam" }, "dns": { "servers": ["8.8.8.8", "1.1.1.1"], "options": ["ndots:5"] },
        "kubernetes": { "kubeconfig": "/etc/kubernetes/cni/net.d/cilium-kubeconfig" } }`;
      assert.deepEqual(parseConflist(text, file).plugins, [JSON.parse(text)]);
    },
    'an empty ipam (a bridge without addresses) is accepted': () => {
      assert.deepEqual(parseConflist(list({ plugins: [{ type: 'bridge', ipam: {} }] }), file).plugins[0]?.ipam, {});
    },
    'a syntax error names the line': async () => {
      const error = await refusal(() => parseConflist('{\n "cniVersion": "1.0.0",\n "name": "x" "y"\n}', file), 'CONFIG_SYNTAX');
      assert.match(error.message, /x\.conflist:3 /);
    },
  }),
  ...section('1 Network configuration format / Version considerations', {
    ...Object.fromEntries(
      Object.entries(chosen).map(([what, [given, version]]) => [
        `chosen is ${what}`,
        () => assert.equal(parseConflist(list(given), file).cniVersion, version),
      ]),
    ),
    ...Object.fromEntries(
      ['0.1.0', '0.2.0', '0.3.0', '1.2.0', '', '1.0'].map((version) => [
        `cniVersion ${JSON.stringify(version)} is not supported`,
        async () => {
          await refusal(() => parseConflist(list({ cniVersion: version }), file), 'CNI_VERSION_UNSUPPORTED');
        },
      ]),
    ),
    'an absent cniVersion means 0.1.0, which is not supported': async () => {
      await refusal(() => parseConflist('{"name":"x","plugins":[{"type":"a"}]}', file), 'CNI_VERSION_UNSUPPORTED');
    },
  }),
];
