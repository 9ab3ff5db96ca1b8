import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuditFile } from '../../../src/observe/audit-file.ts';
import { attachOperation as operation } from './operation-fixture.ts';

describe('the audit log as a file', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pve-cni-audit-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const lines = (file: string) =>
    readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));

  it('has one line of JSON for each operation, without its spans, and goes on in a new file after a rotation', () => {
    const file = join(folder, 'log/audit.log');
    const write = createAuditFile({ file, onFailure: assert.fail });
    write(operation());
    renameSync(file, `${file}.1`);
    write(operation());
    const [line, ...rest] = lines(`${file}.1`);
    assert.deepEqual(rest, []);
    assert.equal(line.id, operation().id);
    assert.equal(line.begin, new Date(operation().begin).toISOString());
    assert.equal('spans' in line, false);
    assert.equal(lines(file).length, 1);
    assert.equal(statSync(file).mode & 0o777, 0o640);
  });

  it('says once that it cannot be written, and stops nothing', () => {
    const failures: string[] = [];
    writeFileSync(join(folder, 'log'), '');
    const write = createAuditFile({ file: join(folder, 'log/audit.log'), onFailure: (reason) => failures.push(reason) });
    write(operation());
    write(operation());
    assert.equal(failures.length, 1);
  });
});
