// The server is a stand-in for the service (test/support/hook-stand-in.ts): these hooks must not reach it at all.
import assert from 'node:assert/strict';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { type StandIn, startStandIn } from '../../support/hook-stand-in.ts';
import { skip } from '../../support/skip.ts';
import { createHookLab, type HookLab, lxcHook } from './support.ts';

const forgedNames = [
  '101;reboot',
  '-1',
  '1e3',
  '0x65',
  '0101',
  '99',
  '1000000000',
  '',
  '101\n',
  '../managed/101',
  '$(id)',
  '１０１',
  '101 ',
];

describe('what a hook is called with', () => {
  let lab: HookLab;
  let service: StandIn;

  before(async () => {
    lab = await createHookLab();
    service = await startStandIn(lab.runDir, () => ({ status: 200, text: '' }));
    // every name has a marker as far as a file of that name can be: only the check of the name keeps the hook quiet
    for (const name of [...forgedNames, '101']) {
      if (name && !name.includes('/')) await writeFile(`${lab.folder}/state/managed/${name}`, 'refuse\n');
    }
  });
  beforeEach(() => service.seen.splice(0));
  after(async () => {
    await service.close();
    await lab.remove();
  });

  for (const name of forgedNames) {
    it(`A4 forged name ${JSON.stringify(name)}: nothing is asked, nothing is written`, async () => {
      for (const type of ['start-host', 'stop']) {
        const end = await lab.start([lxcHook, name, 'lxc', type], { LXC_NAME: name, LXC_PID: '4242' }).ended;
        assert.deepEqual(end, { code: 0, signal: null, stdout: '', stderr: '' });
      }
      const end = await lab.start([process.execPath, lab.hookscript, name, 'pre-start']).ended;
      assert.equal(end.code, 1);
      assert.match(end.stderr, /^pve-cni: .* is not the number of a container\n$/);
      assert.equal(service.seen.length, 0);
    });
  }

  for (const pid of ['', '0', '-4', '4242;id', '12 13', '99999999999']) {
    it(`refuses start-host with LXC_PID ${JSON.stringify(pid)} and asks nothing`, async () => {
      const end = await lab.start([lxcHook, '101', 'lxc', 'start-host'], { LXC_NAME: '101', LXC_PID: pid }).ended;
      assert.equal(end.code, 1);
      assert.match(end.stderr, /^pve-cni: LXC_PID is not a process id/);
      assert.equal(service.seen.length, 0);
    });
  }

  for (const netns of ['', '/proc/1/ns/net', '/proc/1/fd/', '/proc/1/fd/2/3', '/proc/self/fd/3', '/etc/passwd', '/proc/1/fd/3","pid":1']) {
    it(`leaves out the namespace ${JSON.stringify(netns)}, and stops`, async () => {
      const env = { LXC_NAME: '101', LXC_HOOK_TYPE: 'stop', LXC_NET_NS: netns, LXC_TARGET: 'elsewhere' };
      assert.equal((await lab.start([lxcHook], env).ended).code, 0);
      assert.deepEqual(service.seen[0]?.body, { vmid: 101 });
    });
  }

  it('takes hook.version 1 from the environment', async () => {
    const env = { LXC_NAME: '101', LXC_HOOK_TYPE: 'stop', LXC_NET_NS: '/proc/77/fd/12', LXC_TARGET: 'reboot' };
    assert.equal((await lab.start([lxcHook], env).ended).code, 0);
    assert.deepEqual(service.seen[0]?.body, { vmid: 101, netns: '/proc/77/fd/12', target: 'reboot' });
    assert.equal((await lab.start([lxcHook], { LXC_NAME: '101', LXC_HOOK_TYPE: 'start-host', LXC_PID: '4242' }).ended).code, 0);
    assert.deepEqual(service.seen[1]?.body, { vmid: 101, pid: 4242 });
  });

  it('at start-host, ignores what the environment kept from the life before an inside reboot', async () => {
    const env = { LXC_NAME: '101', LXC_PID: '4242', LXC_NET_NS: '/proc/77/fd/12', LXC_TARGET: 'reboot' };
    await lab.start([lxcHook, '101', 'lxc', 'start-host'], env).ended;
    assert.deepEqual(service.seen[0]?.body, { vmid: 101, pid: 4242 });
  });

  it('at stop with hook.version 0, trusts the arguments and not an old LXC_NET_NS', async () => {
    const env = { LXC_NAME: '101', LXC_NET_NS: '/proc/77/fd/12', LXC_TARGET: 'stop' };
    await lab.start([lxcHook, '101', 'lxc', 'stop'], env).ended;
    assert.deepEqual(service.seen[0]?.body, { vmid: 101, target: 'stop' });
  });

  for (const other of ['pre-start', 'post-stop', 'clone', 'quiesce', '__proto__', 'constructor', '']) {
    it(`has nothing to do in phase ${JSON.stringify(other)}`, async () => {
      const silent = { code: 0, signal: null, stdout: '', stderr: '' };
      assert.deepEqual(await lab.start([lxcHook, '101', 'lxc', other], { LXC_NAME: '101', LXC_PID: '4242' }).ended, silent);
      if (!/^p/.test(other)) assert.deepEqual(await lab.start([process.execPath, lab.hookscript, '101', other]).ended, silent);
      assert.equal(service.seen.length, 0);
    });
  }

  it('B27 run by hand without root, with a forged name and pid: no effect', async function () {
    if (process.getuid?.() !== 0) skip(this, 'B27 needs root to become another user');
    const env = { LXC_NAME: '101', LXC_PID: '4242' };
    const warningsBefore = await lab.warnings(101);
    const nobody = { uid: 65534, gid: 65534 };
    await chmod(lab.folder, 0o755);
    // the hook's text goes along as an argument, since a source tree may lie where nobody may read
    const text = await readFile(lxcHook, 'utf8');
    const start = () => lab.start(['/bin/sh', '-c', text, lxcHook, '101', 'lxc', 'start-host'], env, nobody).ended;
    assert.equal((await start()).code, 0);
    for (const path of ['state', 'state/managed', 'state/managed/101']) await chmod(`${lab.folder}/${path}`, 0o755);
    assert.equal((await start()).code, 1);
    assert.equal(service.seen.length, 0);
    assert.equal(await lab.warnings(101), warningsBefore);
  });

  it('ends well with stdin closed and with nobody reading what it prints', async () => {
    const argv = [process.execPath, lab.hookscript, '101', 'post-start'];
    const end = await lab.start(['/bin/sh', '-c', '{ "$@" <&-; echo "$?" >&2; } | true', 'sh', ...argv]).ended;
    assert.equal(end.stderr, '0\n');
    assert.equal(service.seen.length, 1);
  });

  it('is one CommonJS file for /usr/bin/node that needs nothing beside it', async () => {
    const text = await readFile(lab.hookscript, 'utf8');
    assert.ok(text.startsWith('#!/usr/bin/node\n'));
    const needed = [...text.matchAll(/require\("([^"]+)"\)/g)].map((match) => match[1] ?? '');
    assert.ok(needed.length > 0 && needed.every((name) => name.startsWith('node:')), needed.join());
  });
});
