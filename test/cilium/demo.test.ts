import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { skip } from '../support/skip.ts';
import { until } from '../support/until.ts';
import { needsCilium } from './lab.ts';

/** The whole way, with its scripts/setup, which has nothing to do after scripts/test has called it; it isolates itself. In a session of its
 *  own, so that a signal can go to all of it, as from a terminal. */
const demo = () => execa(resolve('scripts/demo'), ['--cilium'], { reject: false, all: true, detached: true, timeout: 290_000 });
const folderOf = (output: string) => /\/var\/tmp\/pve-cni-demo\.\w+/.exec(output)?.[0] ?? assert.fail(`no folder is named in ${output}`);

describe('scripts/demo --cilium', () => {
  it('shows what it claims, with a real agent, and leaves nothing', async function () {
    this.timeout(300_000);
    needsCilium(this);
    const { all = '', exitCode } = await demo();
    assert.equal(exitCode, 0, all.split('\n').slice(-30).join('\n'));
    assert.match(all, /\nAll [2-9]\d claims held\. \(\d+ s\)$/);
    nothingLeft(all);
  });

  it('cleans up after ^C, agent and all', async function () {
    this.timeout(300_000);
    needsCilium(this);
    const child = demo();
    let text = '';
    child.all.on('data', (data) => {
      text += data;
    });
    await until('the agent runs', async () => text.includes('agent is healthy'), 120);
    process.kill(-(child.pid as number), 'SIGINT');
    assert.equal((await child).exitCode, 130, text.slice(-1000));
    nothingLeft(text);
  });

  it('says in words what is missing where there is neither the agent nor Go', async function () {
    if (process.getuid?.() !== 0) skip(this, 'the demo needs root');
    // a tree without .cache, and a PATH without Go
    const dir = mkdtempSync('/var/tmp/pve-cni-test-demo-');
    for (const name of ['scripts', 'test']) symlinkSync(resolve(name), join(dir, name));
    const script = 'mount -t tmpfs none /usr/local; cd "$0"; exec bash "$0/scripts/demo" --cilium';
    const { exitCode, all } = await execa('unshare', ['--mount', 'sh', '-c', script, dir], {
      reject: false,
      all: true,
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    });
    rmSync(dir, { recursive: true });
    assert.match(all, /Cilium's agent is not here \(\.cache\/cilium-[\d.]+\), and there is no Go to build it with/);
    assert.equal(exitCode, 3);
  });
});

/** Neither its folder nor a process that was started with something in it. */
function nothingLeft(output: string): void {
  const folder = folderOf(output);
  assert.equal(existsSync(folder), false);
  assert.equal(spawnSync('pgrep', ['-a', '-f', folder]).stdout.toString(), '');
}
