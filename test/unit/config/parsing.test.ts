import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { nearest } from '../../../src/config/nearest.ts';
import { loadNodeConfig } from '../../../src/config/node-config.ts';
import { renderConfigurationReference } from '../../../src/config/reference.ts';
import { parseYaml, renderYaml } from '../../../src/config/yaml.ts';

const prototypeKeys = ['__proto__', 'constructor', 'prototype', '<<'];
const plain = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 4 }, fc.string(), fc.integer(), fc.boolean(), fc.constant(null), tie('list'), tie('mapping')),
  list: fc.array(tie('value'), { maxLength: 4 }),
  mapping: fc.dictionary(
    fc.string().filter((key) => !prototypeKeys.includes(key)),
    tie('value'),
    { maxKeys: 4, noNullPrototype: true },
  ),
})).mapping;

describe('YAML of configuration files', () => {
  it('says the same as its twin in JSON', () => {
    fc.assert(
      fc.property(plain, (value) => assert.deepEqual(parseYaml(JSON.stringify(value), 'x.yaml'), JSON.parse(JSON.stringify(value)))),
    );
  });

  it('is read as it was written', () => {
    fc.assert(fc.property(plain, (value) => assert.deepEqual(parseYaml(renderYaml(value as object), 'x.yaml'), value)));
  });

  it('whatever the text is, the answer is a value or one of our errors', () => {
    const bits = fc.constantFrom(
      'a',
      ':',
      ' ',
      '\n',
      '-',
      '[',
      ']',
      '{',
      '}',
      '"',
      "'",
      '&',
      '*',
      '!',
      '|',
      '>',
      '\t',
      '#',
      '?',
      '%',
      '---',
      '<<',
      '\u0000',
    );
    fc.assert(
      fc.property(fc.array(bits, { maxLength: 60 }), (parts) => {
        try {
          parseYaml(parts.join(''), 'x.yaml');
        } catch (error) {
          assert.match((error as { code: string }).code, /^CONFIG_(SYNTAX|INVALID|TOO_LARGE)$/);
        }
      }),
    );
  });

  it('A8 an alias bomb of 300 bytes is refused within 50 ms', () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${[...'bcdefghi'].map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[index]}`)}]`).join('\n')}`;
    parseYaml('a: 1', 'warm.yaml');
    const begin = performance.now();
    assert.throws(() => parseYaml(bomb, 'x.yaml'), { code: 'CONFIG_SYNTAX' });
    assert.ok(performance.now() - begin < 50);
  });

  for (const [shape, text] of [
    ['lists in flow', '['.repeat(5000)],
    ['mappings in flow', '{a: '.repeat(5000)],
    ['lists in block', `${'- '.repeat(5000)}a`],
    ['keys that are lists', `${'? - '.repeat(2500)}a`],
  ] as const)
    it(`A9 5,000 levels of ${shape} are refused, the stack holds`, () => {
      assert.throws(() => parseYaml(text, 'x.yaml'), { code: /^CONFIG_(TOO_LARGE|SYNTAX)$/ });
    });

  for (const key of prototypeKeys)
    it(`A10 ${key} is refused at any depth, quoted too`, () => {
      for (const text of [`${key}: { a: 1 }`, `a: [{ b: { "${key}": 1 } }]`, `a:\n  - b:\n      ${key}:\n        c: 1`])
        assert.throws(() => parseYaml(text, 'x.yaml'), /not allowed/);
      assert.equal(({} as { a?: unknown }).a, undefined);
    });

  it('A11 a byte order mark is accepted and not part of the first key', () => {
    assert.deepEqual(parseYaml('\uFEFFa: 1', 'x.yaml'), { a: 1 });
  });

  it('is not fooled by what stands in quotes and comments', () => {
    assert.deepEqual(parseYaml(`a: "&x *y <<: !z" # &anchor *alias\nb: 'x --- y'`, 'x.yaml'), { a: '&x *y <<: !z', b: 'x --- y' });
  });

  it('keeps what looks like another type in YAML 1.1', () => {
    assert.deepEqual(parseYaml('a: yes\nb: 12:34:56\nc: 10.0.0.1\nd: 2026-01-01', 'x.yaml'), {
      a: 'yes',
      b: '12:34:56',
      c: '10.0.0.1',
      d: '2026-01-01',
    });
  });

  it('A12 a text above 256 KiB is refused before it is parsed', () => {
    const begin = performance.now();
    assert.throws(() => parseYaml(`a: ${'x'.repeat(50_000_000)}`, 'x.yaml'), { code: 'CONFIG_TOO_LARGE' });
    assert.ok(performance.now() - begin < 1000);
  });

  for (const [word, meant] of [
    ['adress', 'address'],
    ['Network', 'network'],
    ['nat', null],
    ['completely', null],
  ] as const)
    it(`${word}: ${meant ?? 'nothing'} is meant`, () => assert.equal(nearest(word, ['address', 'network', 'name_of_it']), meant));
});

describe("the node's own file", () => {
  const dir = mkdtempSync(join(tmpdir(), 'pve-cni-node-'));
  after(() => rmSync(dir, { recursive: true }));
  const load = (text: string) => {
    writeFileSync(join(dir, 'pve-cnid.yaml'), text);
    return loadNodeConfig(join(dir, 'pve-cnid.yaml'));
  };

  it('has a default for everything but the root', () => {
    const { root, stateDir, timeouts } = load('root: /etc/pve/cni\n');
    assert.deepEqual([root, stateDir, timeouts.pluginSeconds], ['/etc/pve/cni', '/var/lib/pve-cni', 30]);
  });

  it('names file and field of what is wrong', () => {
    assert.throws(() => load('rot: /x\n'), { code: 'CONFIG_INVALID', message: /pve-cnid\.yaml/ });
    assert.throws(() => load('root: x\n'), { code: 'CONFIG_INVALID', message: /root must be an absolute path/ });
    assert.throws(() => loadNodeConfig(join(dir, 'absent')), { code: 'CONFIG_UNAVAILABLE' });
  });
});

describe('the reference of the configuration', () => {
  it('names every key that may be written and none that is not built', () => {
    const text = renderConfigurationReference();
    for (const key of [
      'subnets[].cidr',
      'interfaces[].defaultRoute',
      'releaseAfterHours',
      'identityTags',
      'labels',
      'timeouts.stopSeconds',
    ])
      assert.ok(text.includes(key), key);
    for (const key of ['bridge.vlan', 'bandwidth', '`ovs`', '`dhcp`']) assert.ok(!text.includes(key), key);
  });
});
