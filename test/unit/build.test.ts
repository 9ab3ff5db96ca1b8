import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// Bundles small entries of the test's own: what is tested here is the script, not the product.
describe('scripts/build.mjs', () => {
  const tree = mkdtempSync(join(tmpdir(), 'pve-cni-build-'));
  const here = process.cwd();
  const run = (command: string, args: string[] = []) => spawnSync(command, args, { cwd: tree, encoding: 'utf8' });
  before(() => {
    for (const folder of ['scripts', 'src/host', 'hookscripts']) mkdirSync(join(tree, folder), { recursive: true });
    for (const script of ['build.mjs', 'panel.mjs']) cpSync(join(here, 'scripts', script), join(tree, 'scripts', script));
    writeFileSync(join(tree, 'package.json'), '{ "version": "9.8.7", "type": "module" }');
    symlinkSync(join(here, 'node_modules'), join(tree, 'node_modules'));
  });
  after(() => rmSync(tree, { recursive: true }));

  it('fails and names the entries that are missing', () => {
    const { status, stderr } = run('node', ['scripts/build.mjs']);
    assert.equal(status, 1);
    assert.match(
      stderr,
      /src\/main\.ts, src\/host\/launcher-process\.ts, src\/cli\.ts, hookscripts\/hookscript\.ts, hookscripts\/lxc-hook/,
    );
  });

  it('makes executables that know their version, with CommonJS packages and better-sqlite3 working in them', () => {
    const print = 'declare const __VERSION__: string;\nconsole.log(__VERSION__);\n';
    // pino is CommonJS and requires Node's modules when it is loaded
    const service = `import Database from 'better-sqlite3';\nimport { pino } from 'pino';\nnew Database(':memory:').close();\npino().level = 'silent';\n`;
    writeFileSync(join(tree, 'src/main.ts'), service + print);
    for (const source of ['src/cli.ts', 'src/host/launcher-process.ts']) writeFileSync(join(tree, source), print);
    writeFileSync(join(tree, 'hookscripts/hookscript.ts'), `import { basename } from 'node:path';\nbasename('/x');\n${print}`);
    writeFileSync(join(tree, 'hookscripts/lxc-hook'), '#!/bin/sh\necho lxc\n');
    const build = run('node', ['scripts/build.mjs']);
    assert.equal(build.status, 0, build.stderr);
    for (const file of ['pve-cnid.mjs', 'pve-cni-launcher.mjs', 'pve-cni.mjs', 'lxc-hook']) {
      assert.equal(statSync(join(tree, 'dist', file)).mode & 0o777, 0o755);
      const { stdout, stderr } = run(join(tree, 'dist', file));
      assert.equal(stdout, file === 'lxc-hook' ? 'lxc\n' : '9.8.7\n', stderr);
    }
    assert.match(readFileSync(join(tree, 'dist/hookscript'), 'utf8'), /^#!\/usr\/bin\/node\n/);
    assert.equal(run('node', ['dist/hookscript']).stdout, '9.8.7\n');
  });

  it('says where when a source does not compile', () => {
    writeFileSync(join(tree, 'src/cli.ts'), 'import "./absent.ts";\n');
    const { status, stderr } = run('node', ['scripts/build.mjs']);
    assert.equal(status, 1);
    assert.match(stderr, /src\/cli\.ts:1/);
  });
});
