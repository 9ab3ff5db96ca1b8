// The server is a stand-in for the service (test/support/hook-stand-in.ts): it gives the wrong answers that a service never should.
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { type Reply, type SeenRequest, type StandIn, startStandIn } from '../../support/hook-stand-in.ts';
import { createHookLab, type HookLab, lxcHook, type RunningHook } from './support.ts';

/** Every phase of both doors, and the exit code without a verdict (for a container that refuses) and when refused. */
const doors = [
  { door: 'lxc-hook', phase: 'start-host', silent: 1, refused: 1, body: { vmid: 101, pid: 4242 } },
  { door: 'lxc-hook', phase: 'stop', silent: 0, refused: 0, body: { vmid: 101, netns: '/proc/77/fd/12', target: 'stop' } },
  { door: 'hookscript', phase: 'pre-start', silent: 1, refused: 1, body: { vmid: 101 } },
  { door: 'hookscript', phase: 'post-start', silent: 0, refused: 1, body: { vmid: 101 } },
  { door: 'hookscript', phase: 'pre-stop', silent: 0, refused: 1, body: { vmid: 101 } },
  { door: 'hookscript', phase: 'post-stop', silent: 0, refused: 1, body: { vmid: 101 } },
] as const;
type Door = (typeof doors)[number];

const ok: Reply = { status: 200, text: 'container 101: eth0 10.20.0.12 on web\nwarning: the uplink is down\n' };
const lxcEnv = { LXC_NAME: '101', LXC_PID: '4242', LXC_TARGET: 'stop' };

describe('a hook and the verdict of the service', () => {
  let lab: HookLab;
  let service: StandIn | undefined;

  beforeEach(async () => {
    lab = await createHookLab();
    await lab.manage(101, 'refuse');
  });
  afterEach(async () => {
    await service?.close();
    service = undefined;
    await lab.remove();
  });

  const serve = async (reply: Reply | ((request: SeenRequest, nth: number) => Reply)) => {
    service = await startStandIn(lab.runDir, typeof reply === 'function' ? reply : () => reply);
    return service;
  };
  const start = (door: Door, env: Record<string, string> = {}): RunningHook =>
    door.door === 'lxc-hook'
      ? lab.start([lxcHook, '101', 'lxc', door.phase, 'user:/proc/77/fd/9', 'net:/proc/77/fd/12'], { ...lxcEnv, ...env })
      : lab.start([process.execPath, lab.hookscript, '101', door.phase], env);

  /** Runs the hook to its end: nothing is left behind and at most one short line was said. */
  const run = async (door: Door, env: Record<string, string> = {}) => {
    const hook = start(door, env);
    const end = await hook.ended;
    assert.deepEqual(await hook.processes(), []);
    if (door.door === 'lxc-hook') assert.match(end.stdout + end.stderr, /^([^\n]{1,250}\n)?$/);
    return end;
  };
  const reasonOf = async (door: Door, stderr: string) => (door.phase === 'start-host' ? await lab.warnings(101) : stderr);

  for (const door of doors) {
    describe(`${door.door} ${door.phase}`, () => {
      it('sends what was seen, in the shape of the service, and passes when it is well', async () => {
        const { seen } = await serve(ok);
        const end = await run(door);
        assert.equal(end.code, 0);
        assert.equal(seen.length, 1);
        const { traceparent, ...request } = seen[0] ?? {};
        assert.deepEqual(request, { phase: door.phase, body: door.body, door: door.door, accept: 'text/plain' });
        assert.match(traceparent ?? '', /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
        const shown = 'container 101: eth0 10.20.0.12 on web\nWARN: the uplink is down\n';
        assert.equal(end.stdout, door.door === 'hookscript' ? shown : '');
        assert.equal(await lab.warnings(101), door.phase === 'start-host' ? 'pve-cni: the uplink is down\n' : '');
      });

      for (const status of [409, 502, 503, 302]) {
        it(`takes status ${status} as a refusal and shows the reason`, async () => {
          const { seen } = await serve({ status, text: 'cannot add eth0 of container 101: pool of "web" is empty\nwarning: more\n' });
          const end = await run(door);
          assert.equal(end.code, door.refused);
          assert.equal(seen.length, 1);
          const expected = door.phase === 'stop' ? '' : 'pve-cni: cannot add eth0 of container 101: pool of "web" is empty\n';
          assert.equal(await reasonOf(door, end.stderr), expected);
        });
      }

      it('D73 a service that accepts and never answers: ends at its own deadline, nothing left behind', async () => {
        await serve('hang');
        const begin = performance.now();
        const end = await run(door, { PVE_CNI_HOOK_SECONDS: '1' });
        assert.equal(end.code, door.silent);
        const tookMs = performance.now() - begin;
        assert.ok(tookMs > 800 && tookMs < 4000, `took ${tookMs} ms`);
        if (door.silent) assert.match(await reasonOf(door, end.stderr), /did not answer within 1 s/);
      });

      it('repeats the request when the connection breaks, however it breaks', async () => {
        const replies: Reply[] = ['reset', 'half', { status: 503, text: 'stopping\n', headers: { 'retry-after': '1' } }, ok];
        const { seen } = await serve((_, nth) => replies[nth - 1] ?? 'hang');
        const end = await run(door);
        assert.equal(end.code, 0);
        assert.equal(seen.length, 4);
        assert.equal(new Set(seen.map((one) => `${one.traceparent} ${JSON.stringify(one.body)}`)).size, 1);
      });

      it('does not take rubbish for a verdict', async () => {
        const { seen } = await serve('rubbish');
        const end = await run(door, { PVE_CNI_HOOK_SECONDS: '5' });
        assert.equal(end.code, door.silent);
        assert.equal(seen.length, 1);
        if (door.silent) assert.match(await reasonOf(door, end.stderr), /is not the service/);
      });

      it('without a service: follows the container’s file', async () => {
        const refused = await run(door);
        assert.equal(refused.code, door.silent);
        if (door.silent) assert.match(await reasonOf(door, refused.stderr), /the service is not there .*systemctl status pve-cni/);
        await lab.manage(101, 'start');
        assert.equal((await run(door)).code, 0);
      });

      it('waits for a service that comes up', async () => {
        const hook = start(door, { PVE_CNI_CONNECT_SECONDS: '20', PVE_CNI_HOOK_SECONDS: '20' });
        // nothing shows a connect that found nobody; too short a wait would make this test weaker, never wrong
        await pause(500);
        await serve(ok);
        assert.equal((await hook.ended).code, 0);
      });

      it('leaves a container that is not managed alone', async () => {
        const { seen } = await serve({ status: 500, text: 'no\n' });
        await lab.unmanage(101);
        assert.deepEqual(await run(door), { code: 0, signal: null, stdout: '', stderr: '' });
        assert.equal(seen.length, 0);
      });

      for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
        it(`ends with everything it started on ${signal}`, async () => {
          const { waitFor } = await serve('hang');
          const hook = start(door);
          await waitFor(1);
          process.kill(hook.pid, signal);
          assert.equal((await hook.ended).signal, signal);
          while ((await hook.processes()).length > 0) await new Promise(setImmediate);
        });
      }
    });
  }
});
