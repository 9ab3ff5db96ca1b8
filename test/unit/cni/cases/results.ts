import assert from 'node:assert/strict';
import type { CniVersion } from '../../../../src/model/cni.ts';
import type { PluginRig } from '../../../support/scripted-plugin.ts';
import { callOf, refusal, result, section } from './case.ts';

const title = '5 Result Types / ADD Success';

/** what a plugin prints for a list of 1.0.0 → a word of the reason */
const invalid: Record<string, [string | Buffer, RegExp]> = {
  'nothing at all': ['', /nothing was printed/],
  text: ['ok', /not one JSON object/],
  'a JSON array': ['[]', /not one JSON object/],
  'JSON null': ['null', /not one JSON object/],
  'text before the object': [`log line\n${result('1.0.0')}`, /not one JSON object/],
  'text behind the object': [`${result('1.0.0')}\ndone`, /not one JSON object/],
  'two objects': [`${result('1.0.0')}${result('1.0.0')}`, /not one JSON object/],
  'half an object': [result('1.0.0').slice(0, -1), /not one JSON object/],
  'another cniVersion': [result('0.4.0'), /cniVersion/],
  'a cniVersion that is no string': ['{"cniVersion":1}', /cniVersion/],
  'interfaces that are no list': [result('1.0.0', { interfaces: {} }), /interfaces/],
  'an interface without a name': [result('1.0.0', { interfaces: [{}] }), /interfaces\.0\.name/],
  'an interface name with a newline': [result('1.0.0', { interfaces: [{ name: 'eth0\n' }] }), /interfaces\.0\.name/],
  'an interface name of 16 characters': [result('1.0.0', { interfaces: [{ name: 'e'.repeat(16) }] }), /interfaces\.0\.name/],
  'an interface name with a slash': [result('1.0.0', { interfaces: [{ name: '../x' }] }), /interfaces\.0\.name/],
  'a MAC that is none': [result('1.0.0', { interfaces: [{ name: 'eth0', mac: '00:11' }] }), /interfaces\.0\.mac/],
  'a sandbox with a newline': [result('1.0.0', { interfaces: [{ name: 'eth0', sandbox: '/a\nb' }] }), /interfaces\.0\.sandbox/],
  'an IP without a prefix length': [result('1.0.0', { ips: [{ address: '10.0.0.2' }] }), /ips\.0\.address/],
  'an IP with a prefix length of 33': [result('1.0.0', { ips: [{ address: '10.0.0.2/33' }] }), /ips\.0\.address/],
  'an IP with a zone': [result('1.0.0', { ips: [{ address: 'fe80::1%eth0/64' }] }), /ips\.0\.address/],
  'a gateway that is no address': [result('1.0.0', { ips: [{ address: '10.0.0.2/24', gateway: 'gw' }] }), /ips\.0\.gateway/],
  'an IP of an interface that is not listed': [result('1.0.0', { ips: [{ address: '10.0.0.2/24', interface: 1 }] }), /interface 1 of 1/],
  'a negative index of an interface': [result('1.0.0', { ips: [{ address: '10.0.0.2/24', interface: -1 }] }), /ips\.0\.interface/],
  'a route without a destination': [result('1.0.0', { routes: [{ gw: '10.0.0.1' }] }), /routes\.0\.dst/],
  'a name server that is a name': [result('1.0.0', { dns: { nameservers: ['dns.lab'] } }), /dns\.nameservers/],
  'a search domain with a newline': [result('1.0.0', { dns: { search: ['lab\nnameserver 6.6.6.6'] } }), /dns\.search/],
  'a thousand interfaces': [result('1.0.0', { interfaces: Array(1000).fill({ name: 'x' }) }), /interfaces/],
  'bytes that are not UTF-8': [Buffer.from('{"cniVersion":"1.0.0","dns":{"domain":"\u00ff"}}', 'latin1'), /not one JSON object/],
};

const versions: CniVersion[] = ['0.3.1', '0.4.0', '1.0.0', '1.1.0'];

export const resultCases = [
  ...section(
    title,
    Object.fromEntries(
      Object.entries(invalid).map(([what, [printed, reason]]) => [
        `${what} is refused`,
        async (rig) => {
          rig.script('a', 'ADD', [], printed);
          const error = await refusal(rig.runtime.add(rig.attachment(['a'])), 'CNI_RESULT_INVALID');
          assert.match(error.message, reason);
          assert.equal(rig.order(), 'a:ADD a:DEL');
        },
      ]),
    ),
  ),
  ...section(title, {
    'all keys of 1.1.0 are kept': async (rig) => {
      const full = {
        cniVersion: '1.1.0',
        interfaces: [
          { name: 'cni0', mac: '00:11:22:33:44:55', mtu: 1500 },
          { name: 'eth0', mac: 'AA:11:22:33:44:55', mtu: 1400, sandbox: '/run/netns/x', socketPath: '/run/s', pciID: '0000:00:1f.6' },
        ],
        ips: [
          { address: '10.1.0.5/16', gateway: '10.1.0.1', interface: 1 },
          { address: 'fd00::5/64', gateway: 'fd00::1', interface: 1 },
        ],
        routes: [{ dst: '0.0.0.0/0', gw: '10.1.0.1', mtu: 1400, advmss: 1360, priority: 100, table: 254, scope: 0 }, { dst: '::/0' }],
        dns: { nameservers: ['10.1.0.1', 'fd00::1'], domain: 'lab', search: ['a.lab'], options: ['ndots:5'] },
      };
      rig.script('a', 'ADD', [], JSON.stringify(full));
      const attachment = rig.attachment(['a', 'b'], { cniVersion: '1.1.0' });
      assert.deepEqual(await rig.runtime.add(attachment), full);
      assert.deepEqual(callOf(rig, 'b', 'ADD').conf?.prevResult, full);
      assert.deepEqual((await rig.runtime.cached()).entries[0]?.result, full);
    },
    'empty strings and null of Go’s plugins mean nothing': async (rig) => {
      const printed = {
        interfaces: [{ name: 'eth0', mac: '', sandbox: '' }],
        ips: [{ address: '10.0.0.2/24', gateway: '' }],
        routes: null,
      };
      rig.script('a', 'ADD', [], result('1.0.0', printed));
      const answer = await rig.runtime.add(rig.attachment(['a']));
      assert.deepEqual(answer, {
        cniVersion: '1.0.0',
        interfaces: [{ name: 'eth0' }],
        ips: [{ address: '10.0.0.2/24' }],
        routes: [],
        dns: {},
      });
    },
    'a result without a cniVersion is taken to be in the version of the list, as libcni does': async (rig) => {
      rig.script('a', 'ADD', [], '{"ips":[{"address":"10.0.0.2/24"}]}');
      assert.equal((await rig.runtime.add(rig.attachment(['a']))).cniVersion, '1.0.0');
    },
    'white space around the object is allowed': async (rig) => {
      rig.script('a', 'ADD', [], `\n  ${result('1.0.0')}\r\n\n`);
      await rig.runtime.add(rig.attachment(['a']));
    },
    'keys that are not in the specification are dropped, __proto__ too': async (rig) => {
      rig.script('a', 'ADD', [], `{"cniVersion":"1.0.0","__proto__":{"polluted":1},"code":0,"x":1}`);
      const answer = await rig.runtime.add(rig.attachment(['a']));
      assert.deepEqual(Object.keys(answer).sort(), ['cniVersion', 'dns', 'interfaces', 'ips', 'routes']);
      assert.equal(({} as Record<string, unknown>).polluted, undefined);
    },
    'a result of exactly the allowed size is read whole': async (rig) => {
      const padded = result('1.0.0').padEnd(1024 * 1024, ' ');
      rig.script('a', 'ADD', [], padded);
      await rig.runtime.add(rig.attachment(['a']));
    },
  }),
  ...section('1 Network configuration format / Version considerations', {
    ...Object.fromEntries(
      versions.map((version) => [
        `a list of ${version} is answered, chained and cached in ${version}, and returned in today’s shape`,
        async (rig: PluginRig) => {
          const old = version < '1.0.0';
          const ips = [
            { ...(old && { version: '4' }), address: '10.0.0.2/24', gateway: '10.0.0.1', interface: 0 },
            { ...(old && { version: '6' }), address: 'fd00::2/64', interface: 0 },
          ];
          const printed = { cniVersion: version, interfaces: [{ name: 'eth0', mac: '00:11:22:33:44:55', sandbox: '/n' }], ips };
          rig.script('a', 'ADD', [], JSON.stringify(printed));
          const answer = await rig.runtime.add(rig.attachment(['a', 'b'], { cniVersion: version }));
          assert.deepEqual(callOf(rig, 'b', 'ADD').conf?.prevResult, printed);
          assert.deepEqual(answer, {
            ...printed,
            ips: [
              { address: '10.0.0.2/24', gateway: '10.0.0.1', interface: 0 },
              { address: 'fd00::2/64', interface: 0 },
            ],
            routes: [],
            dns: {},
          });
          assert.deepEqual((await rig.runtime.cached()).entries[0]?.result, answer);
        },
      ]),
    ),
    'an ips[].version that is not the address’s is refused': async (rig) => {
      rig.script('a', 'ADD', [], result('0.4.0', { ips: [{ version: '6', address: '10.0.0.2/24' }] }));
      await refusal(rig.runtime.add(rig.attachment(['a'], { cniVersion: '0.4.0' })), 'CNI_RESULT_INVALID');
    },
  }),
];
