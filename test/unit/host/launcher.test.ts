import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Execution } from '../../../src/host/execute.ts';
import { createLauncher, type Launcher } from '../../../src/host/launcher.ts';
import { startTimeOf } from '../../../src/host/processes.ts';
import { until } from '../../support/until.ts';

const file = fileURLToPath(new URL('../../../src/host/launcher-process.ts', import.meta.url));

describe('the launcher', () => {
  let launcher: Launcher;
  const sh = (script: string, more: Partial<Execution> = {}) =>
    launcher.execute({ path: '/bin/sh', args: ['-c', script], env: { PATH: '/usr/bin:/bin' }, stdin: '', timeoutMs: 30_000, ...more });
  const said = async (script: string, more: Partial<Execution> = {}) => {
    const outcome = await sh(script, more);
    assert.ok(outcome.how === 'exited');
    return { ...outcome, stdout: outcome.stdout.toString('latin1'), stderr: outcome.stderr.toString() };
  };
  /** pid of the launcher's process: the parent of what it starts */
  const helperPid = async () => Number((await said('echo $PPID')).stdout);

  beforeEach(() => {
    launcher = createLauncher(file);
  });
  afterEach(() => launcher.stop());

  it('gives stdout and stderr byte for byte, the exit code, and no more environment than it was given', async () => {
    const outcome = await said(`printf '\\377\\0x'; echo no >&2; env >&2; cat; exit 7`, {
      env: { PATH: '/usr/bin:/bin', A: 'ä' },
      stdin: 'in',
    });
    assert.equal(outcome.stdout, '\xff\0xin');
    assert.equal(outcome.exitCode, 7);
    const names = outcome.stderr.split('\n').map((line) => line.split('=')[0] ?? '');
    // what a shell sets by itself
    assert.deepEqual(new Set(names.filter((name) => !['', 'PWD', 'SHLVL', '_'].includes(name))), new Set(['no', 'PATH', 'A']));
  });

  it('starts children from another process than this one', async () => {
    const pid = await helperPid();
    assert.notEqual(pid, process.pid);
    assert.equal(Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]), process.pid);
  });

  it('runs many at once and tells their answers apart', async () => {
    const outcomes = await Promise.all(Array.from({ length: 30 }, (_, n) => said(`echo ${n}`)));
    assert.deepEqual(
      outcomes.map(({ stdout }) => Number(stdout)),
      outcomes.map((_, n) => n),
    );
  });

  it('says that a program is not there', async () => {
    assert.deepEqual(await launcher.execute({ path: '/nowhere', env: {}, stdin: '', timeoutMs: 1000 }), {
      how: 'unstarted',
      reason: 'ENOENT',
    });
  });

  it('kills the whole group at the deadline', async () => {
    const outcome = await sh('sleep 1000 & echo $!; wait', { timeoutMs: 200 });
    assert.ok(outcome.how === 'timeout');
    const child = Number(outcome.stdout.toString());
    await until('the child of what was killed ends', async () => (await startTimeOf(child)) === null);
  });

  it('kills the whole group at an abort, also at one that came before', async () => {
    assert.equal((await sh('exit 0', { signal: AbortSignal.abort() })).how, 'aborted');
    const outcome = await sh('sleep 1000 & echo $!; wait', { signal: AbortSignal.timeout(200) });
    assert.ok(outcome.how === 'aborted');
    const child = Number(outcome.stdout.toString());
    await until('the child of what was given up ends', async () => (await startTimeOf(child)) === null);
  });

  it('that is killed takes what it ran along, says so, and is made anew', async () => {
    const pid = await helperPid();
    const children = () => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    const running = sh('sleep 1000');
    const child = Number(await until('it runs', children));
    // reports come in order: after this answer the service knows the other's pid
    await sh('exit 0');
    process.kill(pid, 'SIGKILL');
    const outcome = await running;
    assert.ok(outcome.how === 'exited');
    assert.equal(outcome.signal, 'SIGKILL');
    await until('what it ran ends', async () => (await startTimeOf(child)) === null);
    assert.notEqual(await helperPid(), pid);
  });

  it('lets what runs end when a signal goes to all; when the service goes away it kills what runs and ends itself', async () => {
    const pid = await helperPid();
    const running = said('sleep 0.3; echo whole');
    process.kill(pid, 'SIGTERM');
    assert.equal((await running).stdout, 'whole\n');
    const child = until('it runs', () => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
    void sh('sleep 600');
    const last = Number(await child);
    launcher.stop();
    await until('it ends', async () => (await startTimeOf(pid)) === null);
    assert.equal(await startTimeOf(last), null, 'what it ran ended first');
  });
});
