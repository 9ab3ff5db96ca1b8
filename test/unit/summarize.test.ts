import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

describe('scripts/summarize.mjs', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pve-cni-summary-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const one = { name: 'does a thing' };
  const suite = (name: string, end: string, outcome?: object) => {
    writeFileSync(join(folder, `${name}.end`), end);
    if (outcome) writeFileSync(join(folder, `${name}.json`), JSON.stringify({ passed: [], failed: [], skipped: [], ...outcome }));
  };
  const summarize = (...suites: string[]) => {
    const { status, stdout } = spawnSync('node', ['scripts/summarize.mjs', folder, ...suites], { encoding: 'utf8' });
    return { status, stdout, last: stdout.trimEnd().split('\n').at(-1) };
  };

  it('adds up, names time and skips, and ends with the totals', () => {
    suite('check', '0 7');
    suite('unit', '0 3', { passed: [one, one], skipped: [{ ...one, reason: 'needs root' }] });
    const { status, stdout, last } = summarize('check', 'unit');
    assert.equal(last, '3 passed, 0 failed, 1 skipped');
    assert.equal(status, 0);
    assert.match(stdout, /^unit +3 s /m);
    assert.match(stdout, /^skipped {2}unit: does a thing: needs root$/m);
  });

  const bad: [string, string, object | undefined][] = [
    ['a failed test', '1 3', { passed: [one], failed: [one] }],
    ['a suite that ran no test', '0 3', {}],
    ['a suite that died before its report', '137 3', undefined],
    ['a suite that ended badly although its tests passed', '7 3', { passed: [one] }],
  ];
  for (const [name, end, outcome] of bad)
    it(`fails for ${name}`, () => {
      suite('unit', end, outcome);
      const { status, last } = summarize('unit');
      assert.match(last ?? '', /^\d passed, 1 failed, 0 skipped$/);
      assert.equal(status, 1);
    });

  it('fails when npm run check failed', () => {
    suite('check', '1 7');
    assert.equal(summarize('check').last, '0 passed, 1 failed, 0 skipped');
  });
});
