import assert from 'node:assert/strict';
import { createRig, onWeb, problemOf, type Rig, web } from './rig.ts';

describe('files that are refused', () => {
  let rig: Rig;
  beforeEach(() => {
    rig = createRig();
  });
  afterEach(() => rig.end());

  const network = (text: string) => ({ file: 'networks/zz.yaml', text });
  const container = (text: string) => ({ file: 'containers/101.yaml', text });
  const labelled = (text: string) => container(`interfaces: []\nlabels: { ${text} }`);
  const subnet = (text: string) => network(`type: bridge\nsubnets: [{ ${text} }]\n`);
  const cases: [string, { file: string; text: string }, string, RegExp][] = [
    [
      'a key that is not one, with the nearest name',
      container('interfaces: [{ name: eth0, network: web, adress: auto }]'),
      'CONFIG_INVALID',
      /interfaces\[0\]\.adress.*did you mean address/,
    ],
    ['a missing key', container('interfaces: [{ name: eth0 }]'), 'CONFIG_INVALID', /interfaces\[0\]\.network/],
    ['a value that is none of those allowed', container('interfaces: []\nonFailure: ignore'), 'CONFIG_INVALID', /onFailure.*refuse/],
    [
      'two interfaces of one name',
      container('interfaces: [{ name: eth0, network: web }, { name: eth0, network: web }]'),
      'CONFIG_INVALID',
      /same name/,
    ],
    [
      'two default routes',
      container('interfaces: [{ name: eth0, network: web, defaultRoute: true }, { name: eth1, network: web, defaultRoute: true }]'),
      'CONFIG_INVALID',
      /default route/,
    ],
    [
      'an address that the subnet cannot give',
      container('interfaces: [{ name: eth0, network: web, address: [10.20.0.1] }]'),
      'IPAM_ADDRESS_OUTSIDE',
      /10\.20\.0\.1/,
    ],
    ['a network that is not configured', container('interfaces: [{ name: eth0, network: nope }]'), 'NETWORK_UNKNOWN', /nope/],
    ['the name lo', container('interfaces: [{ name: lo, network: web }]'), 'CONFIG_INVALID', /lo/],
    ['host bits in a subnet, with the right one named', subnet('cidr: 10.9.0.5/24'), 'CONFIG_INVALID', /10\.9\.0\.0\/24/],
    ['a gateway outside its subnet', subnet('cidr: 10.9.0.0/24, gateway: 10.8.0.1'), 'CONFIG_INVALID', /gateway/],
    ['a range that ends before it begins', subnet('cidr: 10.9.0.0/24, range: 10.9.0.9-10.9.0.2'), 'CONFIG_INVALID', /range/],
    ['a subnet that overlaps another network’s', subnet('cidr: 10.20.0.128/25'), 'CONFIG_INVALID', /10\.20\.0\.0\/24/],
    ['a bridge with a name of Proxmox’s', network('type: bridge\nbridge: { name: vmbr0 }\n'), 'CONFIG_INVALID', /bridge\.name/],
    ['a type that is none', network('type: bridges\n'), 'CONFIG_INVALID', /type.*bridge/],
    ['a key whose effect is not built yet: VLAN', network('type: bridge\nbridge: { vlan: 20 }\n'), 'UNSUPPORTED', /bridge\.vlan/],
    ['a value whose effect is not built yet: DHCP', network('type: bridge\nipam: dhcp\n'), 'UNSUPPORTED', /ipam/],
    ['policies of a network, not built yet', network('type: bridge\npolicy: { default: deny }\n'), 'UNSUPPORTED', /policy/],
    ['a type that is not built yet', network('type: flannel\n'), 'UNSUPPORTED', /type/],
    ['a chained network without its bridge', network('type: cilium\nmode: chained\n'), 'CONFIG_INVALID', /on is missing/],
    ['sticky addresses without subnets', network('type: cilium\nipam: sticky\n'), 'CONFIG_INVALID', /subnets is missing/],
    [
      'the agent’s addresses with subnets',
      network('type: cilium\nipam: agent\nsubnets: [{ cidr: 10.9.0.0/24 }]\n'),
      'CONFIG_INVALID',
      /subnets/,
    ],
    [
      'a gateway of a network that Cilium carries',
      network('type: cilium\nsubnets: [{ cidr: 10.9.0.0/24, gateway: 10.9.0.1 }]\n'),
      'CONFIG_INVALID',
      /gateway/,
    ],
    ['a label that says what a container is', labelled('type: vm'), 'CONFIG_INVALID', /labels\.type is reserved.*vmid, name/],
    ['A23 a label as a registered tag becomes', labelled('tag/db: "true"'), 'CONFIG_INVALID', /labels\.tag\/db is reserved.*identityTags/],
    ['a label that Cilium owns', labelled('io.cilium.k8s.policy.cluster: other'), 'CONFIG_INVALID', /Cilium’s own/],
    [
      'the namespace, which Cilium’s policies ask for',
      labelled('io.kubernetes.pod.namespace: kube'),
      'CONFIG_INVALID',
      /left out of identities/,
    ],
    ['a label that Cilium leaves out of identities', labelled('k8s.io/role: web'), 'CONFIG_INVALID', /k8s\.io\/role is left out/],
    ['a label key that is none', labelled('"app web": x'), 'CONFIG_INVALID', /labels\.app web is not a label key/],
    ['A5 a label value with a command in it', labelled('app: $(id)'), 'CONFIG_INVALID', /labels\.app must be at most 63.*/],
    ['a label value that is a number', labelled('app: 1'), 'CONFIG_INVALID', /labels\.app must be a text, not 1/],
    ['a 17th label', labelled(Array.from({ length: 17 }, (_, n) => `l${n}: x`).join(', ')), 'CONFIG_INVALID', /17 labels; 16/],
    ['a tag that could not be a label', { file: 'settings.yaml', text: 'identityTags: [web, db+]' }, 'CONFIG_INVALID', /identityTags\[1\]/],
    ['a tag twice', { file: 'settings.yaml', text: 'identityTags: [web, web]' }, 'CONFIG_INVALID', /identityTags.*twice/],
    [
      'ports, not built yet',
      container('interfaces: [{ name: eth0, network: web, ports: [{ host: 80, container: 80, protocol: tcp }] }]'),
      'UNSUPPORTED',
      /ports/,
    ],
    ['a policy of a kind that is none', { file: 'policies/deny.yaml', text: 'kind: X\n' }, 'CONFIG_INVALID', /kind.*NetworkPolicy/],
    ['another ending, with the allowed ones named', { file: 'networks/x.yml', text: web }, 'CONFIG_INVALID', /\.yaml/],
    ['A4 a container file that names no number', { file: 'containers/0x65.yaml', text: onWeb }, 'CONFIG_INVALID', /0x65/],
    ['A4 a container file with a command in its name', { file: 'containers/101;reboot.yaml', text: onWeb }, 'CONFIG_INVALID', /101;reboot/],
    [
      'A3 a network whose name is a path',
      { file: 'networks/x.conflist', text: '{"cniVersion":"1.0.0","name":"../x","plugins":[{"type":"bridge"}]}' },
      'CNI_CONFIG_INVALID',
      /name/,
    ],
    [
      'A1 a plugin whose type is a path',
      { file: 'networks/x.conflist', text: '{"cniVersion":"1.0.0","name":"x","plugins":[{"type":"../bin/sh"}]}' },
      'CNI_CONFIG_INVALID',
      /type/,
    ],
    ['A8 anchors and aliases', network(`type: &a bridge\nbridge: { name: *a }\n`), 'CONFIG_SYNTAX', /zz.yaml:1:7/],
    ['A9 nesting of 5,000 levels', network(`type: ${'['.repeat(5000)}`), 'CONFIG_TOO_LARGE', /32|deep/],
    ['A10 a key that reaches for the prototype', container('interfaces: []\n__proto__: { x: 1 }'), 'CONFIG_INVALID', /__proto__/],
    ['A10 a merge key', container('<<: { x: 1 }\ninterfaces: []'), 'CONFIG_SYNTAX', /<</],
    ['A11 a key that is written twice', container('interfaces: []\ninterfaces: []'), 'CONFIG_SYNTAX', /101.yaml:2:1/],
    ['A11 a tab for indentation', container('interfaces:\n\t- { name: eth0, network: web }'), 'CONFIG_SYNTAX', /101.yaml:2:1/],
    ['A11 several documents', container('interfaces: []\n---\ninterfaces: []\n'), 'CONFIG_SYNTAX', /document/],
    ['A12 a file of 300 KiB', container(`# ${'x'.repeat(300 * 1024)}\ninterfaces: []\n`), 'CONFIG_TOO_LARGE', /262144/],
    ['D50 a file that a power cut left empty', container(''), 'CONFIG_SYNTAX', /empty/],
  ];
  for (const [what, { file, text }, code, message] of cases)
    it(what, async () => {
      const error = problemOf(await rig.read({ 'networks/web.yaml': web, [file]: text }), file);
      assert.match(error.message, message);
      assert.ok(error.message.includes(file), `names the file: ${error.message}`);
      assert.equal(error.code, code);
      assert.equal(({} as { x?: unknown }).x, undefined);
    });

  it('A8 an alias bomb costs no time and no memory', async () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${[...'bcdefghi'].map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[index]}`).join(',')}]`).join('\n')}\n`;
    const before = process.memoryUsage().rss;
    const begin = performance.now();
    const error = problemOf(await rig.read({ 'networks/n.yaml': bomb }), 'networks/n.yaml');
    assert.equal(error.code, 'CONFIG_SYNTAX');
    assert.ok(performance.now() - begin < 1000);
    assert.ok(process.memoryUsage().rss - before < 50e6);
  });

  it('the same network in two files: the first serves, and both are named', async () => {
    const list = '{"cniVersion":"1.0.0","name":"web","plugins":[{"type":"bridge"}]}';
    const snapshot = await rig.read({ 'networks/web.yaml': web, 'networks/zz.conflist': list });
    const error = problemOf(snapshot, 'networks/zz.conflist');
    assert.equal(error.code, 'CONFIG_DUPLICATE');
    assert.match(error.message, /networks\/web\.yaml/);
    assert.equal(snapshot.networks.get('web')?.type, 'bridge');
  });

  it('one address for two containers: the second is refused, the first is not touched', async () => {
    const fixed = 'interfaces: [{ name: eth0, network: web, address: [10.20.0.77] }]';
    const snapshot = await rig.read({ 'networks/web.yaml': web, 'containers/101.yaml': fixed, 'containers/102.yaml': fixed });
    assert.equal(problemOf(snapshot, 'containers/102.yaml').code, 'IPAM_ADDRESS_TAKEN');
    assert.deepEqual(
      snapshot.problems.map(({ file }) => file),
      ['containers/102.yaml'],
    );
  });

  it('one bad file among a thousand changes nothing for the others', async () => {
    const files = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`containers/${1000 + index}.yaml`, onWeb]));
    const snapshot = await rig.read({ 'networks/web.yaml': web, ...files, 'containers/1500.yaml': 'interfaces: [' });
    assert.deepEqual([snapshot.containers.size, snapshot.problems.length], [999, 1]);
  });
});
