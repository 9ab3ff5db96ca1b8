import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { load } from 'js-yaml';
import { singleton } from './classes.ts';

const { set } = (() => {
  const yaml = singleton('dc/YamlText.js');
  return { set: (text: string, path: string[], value?: unknown): string | null => yaml.set(text, path, value) };
})();

const text = '# ours\nreleaseAfterHours: 12   # half a day\nidentityTags:\n  - web\n  - db\nflows:\n  # short\n  retentionDays: 3\n';

describe('a value in the text of a YAML file', () => {
  it('is changed where it stands, comments stay', () => {
    assert.equal(set(text, ['flows', 'retentionDays'], 7), text.replace('retentionDays: 3', 'retentionDays: 7'));
    assert.match(set(text, ['releaseAfterHours'], 24) ?? '', /^# ours\nreleaseAfterHours: 24\nidentityTags:/);
  });

  it('takes the place of a list in lines', () => {
    assert.deepEqual(load(set(text, ['identityTags'], '[app]') ?? ''), {
      releaseAfterHours: 12,
      identityTags: ['app'],
      flows: { retentionDays: 3 },
    });
  });

  it('is added where it is not there yet', () => {
    assert.equal(set('', ['releaseAfterHours'], 1), 'releaseAfterHours: 1\n');
    assert.deepEqual(load(set('releaseAfterHours: 1\n', ['flows', 'maxMegabytes'], 64) ?? ''), {
      releaseAfterHours: 1,
      flows: { maxMegabytes: 64 },
    });
    assert.match(set(text, ['flows', 'maxMegabytes'], 64) ?? '', /retentionDays: 3\n {2}maxMegabytes: 64\n$/);
  });

  it('is taken out, and a block that is empty then goes, too', () => {
    assert.deepEqual(load(set(text, ['releaseAfterHours']) ?? ''), { identityTags: ['web', 'db'], flows: { retentionDays: 3 } });
    assert.deepEqual(load(set('a: 1\nflows:\n  retentionDays: 3\n', ['flows', 'retentionDays']) ?? ''), { a: 1 });
  });

  it('is left alone in a shape that is not known', () => {
    assert.equal(set('flows: { retentionDays: 3 }\n', ['flows', 'retentionDays'], 7), null);
  });

  it('is what a parser finds afterwards, and nothing else changes', () => {
    const paths: string[][] = [['releaseAfterHours'], ['flows', 'maxMegabytes'], ['flows', 'retentionDays']];
    const settings = fc.record(
      {
        releaseAfterHours: fc.nat(9),
        flows: fc.nat(9).map((retentionDays) => ({ retentionDays })),
        identityTags: fc.constant<string[]>(['a', 'b']),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(settings, fc.nat(99), fc.constantFrom(...paths), (before, value, path) => {
        const lines = Object.entries(before).map(([key, one]) => {
          if (Array.isArray(one)) return `${key}:\n${one.map((item) => `  - ${item}`).join('\n')}`;
          return typeof one === 'object' ? `${key}:\n    retentionDays: ${one.retentionDays}` : `${key}: ${one}`;
        });
        const after = load(set(`${lines.join('\n')}\n`, path, value) ?? '') as Record<string, unknown>;
        const [key = '', inner] = path;
        const wanted = inner ? { ...before, [key]: { ...(before.flows ?? {}), [inner]: value } } : { ...before, [key]: value };
        assert.deepEqual(after, wanted);
      }),
    );
  });
});
