import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { migrations } from '../../../src/state/migrations.ts';
import { stateVersion } from '../../../src/state/state-version.ts';

describe('the version of the state', () => {
  const known = migrations.length;
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pve-cni-version-'));
    file = join(folder, 'state.db');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const write = (version: number) => {
    const db = new Database(file);
    db.pragma('journal_mode = WAL');
    db.pragma(`user_version = ${version}`);
    return db;
  };

  it('is 0 where there is no file, and where something else is', () => {
    assert.deepEqual(stateVersion(file), { file, version: 0, known });
    writeFileSync(file, 'no database');
    assert.deepEqual(stateVersion(file), { file, version: 0, known });
  });

  it('is read while another process holds the file, though it is only in the write-ahead log', () => {
    const db = write(known + 3);
    assert.deepEqual(stateVersion(file), { file, version: known + 3, known });
    db.close();
  });

  it('is printed by pve-cnid --check-state, which fails for a newer one', () => {
    write(known + 1).close();
    const config = join(folder, 'pve-cnid.yaml');
    writeFileSync(config, `{ root: ${folder}, stateDir: ${folder} }\n`);
    const check = () => {
      const { status, stdout } = spawnSync(process.execPath, ['--import', 'tsx', 'src/main.ts', '--check-state', '--config', config]);
      return { status, ...JSON.parse(stdout.toString()) };
    };
    assert.deepEqual(check(), { status: 1, file, version: known + 1, known });
    write(known).close();
    assert.deepEqual(check(), { status: 0, file, version: known, known });
  });
});
