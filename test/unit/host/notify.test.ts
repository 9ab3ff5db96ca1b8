// The tool that speaks with systemd is not started: test/vm/systemd.test.ts runs the service under a real systemd.
import assert from 'node:assert/strict';
import type { Execution, Outcome } from '../../../src/host/execute.ts';
import { createNotify } from '../../../src/host/notify.ts';
import { until } from '../../support/until.ts';

const nothing = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
const well: Outcome = { how: 'exited', exitCode: 0, signal: null, ...nothing };

describe('notify', () => {
  const rig = (env: NodeJS.ProcessEnv, outcome: Outcome = well) => {
    const told: Execution[] = [];
    const failures: string[] = [];
    const execute = async (execution: Execution) => {
      told.push(execution);
      return outcome;
    };
    return {
      told,
      failures,
      words: () => told.map(({ args }) => args?.join(' ')),
      notify: createNotify(env, { execute, onFailure: (why) => failures.push(why) }),
    };
  };

  it('says nothing where no systemd listens', async () => {
    const { notify, told } = rig({});
    await notify.ready();
    await notify.stopping();
    assert.deepEqual(told, []);
  });

  it('says ready and stopping to the socket it was given, and leaves that in no environment of a child', async () => {
    const env: NodeJS.ProcessEnv = { NOTIFY_SOCKET: '/run/notify', WATCHDOG_USEC: '1000', WATCHDOG_PID: '1', PATH: '/bin' };
    const { notify, told, words } = rig(env);
    assert.deepEqual(env, { PATH: '/bin' });
    await notify.ready();
    await notify.stopping();
    // the watchdog is another process's
    assert.deepEqual(words(), ['--ready', 'STOPPING=1']);
    assert.equal(told[0]?.path, 'systemd-notify');
    assert.equal(told[0]?.env.NOTIFY_SOCKET, '/run/notify');
  });

  it('feeds the watchdog until the end begins', async () => {
    const { notify, words } = rig({ NOTIFY_SOCKET: '/run/notify', WATCHDOG_USEC: '6000', WATCHDOG_PID: String(process.pid) });
    await notify.ready();
    await until('three messages', () => words().filter((word) => word === 'WATCHDOG=1').length >= 3, 30);
    await notify.stopping();
    assert.equal(words().at(-1), 'STOPPING=1');
    const said = words().length;
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(words().length, said);
  });

  it('tells why systemd could not be told', async () => {
    const { notify, failures } = rig({ NOTIFY_SOCKET: '/run/notify' }, { how: 'unstarted', reason: 'ENOENT' });
    await notify.ready();
    assert.deepEqual(failures, ['ENOENT']);
  });
});
