import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { unifiedDiff } from '../../../src/core/text-diff.ts';
import { skip } from '../../support/skip.ts';

const names = { before: 'a', after: 'b' };

describe('a unified diff', () => {
  it('of equal texts is empty', () => assert.equal(unifiedDiff('a\n', 'a\n', names), ''));

  it('has three lines around a change, and joins changes that are near', () => {
    const before = Array.from({ length: 30 }, (_, index) => `line ${index}`);
    const after = before.with(10, 'ten').with(14, 'fourteen').with(28, 'last but one');
    const diff = unifiedDiff(`${before.join('\n')}\n`, `${after.join('\n')}\n`, names);
    assert.deepEqual(
      diff.split('\n').filter((line) => /^(@@|[-+])/.test(line)),
      [
        ...['--- a', '+++ b', '@@ -8,11 +8,11 @@', '-line 10', '+ten', '-line 14', '+fourteen'],
        ...['@@ -26,5 +26,5 @@', '-line 28', '+last but one'],
      ],
    );
  });

  it('of a new text is all of it', () => assert.equal(unifiedDiff('', 'x\ny\n', names), '--- a\n+++ b\n@@ -0,0 +1,2 @@\n+x\n+y\n'));

  it('of texts that are too different to compare is the one for the other', () => {
    const [before, after] = ['a', 'b'].map((letter) => Array.from({ length: 2100 }, (_, index) => `${letter}${index}`).join('\n'));
    const lines = unifiedDiff(before ?? '', after ?? '', names).split('\n');
    assert.equal(lines.filter((line) => line.startsWith('-a')).length, 2100);
  });

  it('is what patch(1) makes the second text of the first with', function () {
    if (spawnSync('patch', ['--version']).error) skip(this, 'patch is not installed');
    const folder = mkdtempSync(join(tmpdir(), 'pve-cni-diff-'));
    const text = fc
      .array(fc.constantFrom('a', 'b', 'c', 'd', ''), { maxLength: 24 })
      .map((lines) => lines.map((line) => `${line}\n`).join(''));
    try {
      fc.assert(
        fc.property(text, text, (before, after) => {
          writeFileSync(join(folder, 'file'), before);
          const diff = unifiedDiff(before, after, names);
          const { status, stdout } = spawnSync('patch', ['--silent', 'file'], { cwd: folder, input: diff, encoding: 'utf8' });
          assert.equal(status, 0, stdout);
          const patched = (() => {
            try {
              return readFileSync(join(folder, 'file'), 'utf8');
            } catch {
              return ''; // patch removes what it empties
            }
          })();
          assert.equal(patched, after);
        }),
        { numRuns: 60 },
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
