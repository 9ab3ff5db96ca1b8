import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { isAlive, startTimeOf, vmidOfCgroup } from '../../../src/host/processes.ts';

describe('processes', () => {
  const cgroups: [string, number | null][] = [
    ['/lxc.payload.101', 101],
    ['/lxc.payload.101/init.scope', 101],
    ['/user.slice/lxc.payload.101', 101],
    ['/lxc.payload.101-1', 101],
    ['/lxc/101/ns', 101],
    ['/lxc/101/ns/lxc.payload.102', 101],
    ['/lxc.payload.200/lxc/101/ns', 200],
    ['/lxc.monitor.101', null],
    ['/lxc.payload.web', null],
    ['/lxc.payload.web/lxc.payload.101', null],
    ['/lxc.payload.0101', null],
    ['/system.slice', null],
    ['/', null],
  ];
  for (const [path, vmid] of cgroups) it(`takes ${path} for ${vmid ?? 'no container'}`, () => assert.equal(vmidOfCgroup(path), vmid));

  it('B29 a process is told from a later one of the same number by its start time, and a dead one is not alive', async () => {
    const child = spawn('sleep', ['60']);
    const pid = child.pid ?? 0;
    const startTime = (await startTimeOf(pid)) ?? '';
    assert.match(startTime, /^\d+$/);
    assert.equal(await isAlive({ pid, startTime }), true);
    assert.equal(await isAlive({ pid, startTime: String(Number(startTime) - 1) }), false);
    child.kill('SIGKILL');
    await once(child, 'exit');
    assert.equal(await isAlive({ pid, startTime }), false);
  });
});
