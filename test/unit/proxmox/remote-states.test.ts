import assert from 'node:assert/strict';
import { failure } from '../../../src/model/errors.ts';
import type { RemoteContainer } from '../../../src/proxmox/api.ts';
import { createRemoteStates } from '../../../src/proxmox/remote-states.ts';

describe('what Proxmox’s API said last', () => {
  let now: number;
  let version: string;
  let asked: number;
  let logged: string[];
  let answer: () => RemoteContainer[] | null;
  const there: RemoteContainer = { vmid: 101, node: 'pve2', status: 'running', ha: null, pool: null };
  const away = () => {
    throw failure('PROXMOX_API_UNAVAILABLE', 'cannot ask', {});
  };
  const states = (isProxmox = true) =>
    createRemoteStates({
      api: {
        async containers() {
          asked += 1;
          return answer();
        },
      },
      isProxmox: async () => isProxmox,
      version: async () => version,
      everyMs: 60_000,
      clock: () => now,
      log: (message) => logged.push(message),
    });
  beforeEach(() => {
    [now, version, asked, logged, answer] = [1000, 'one', 0, [], () => [there]];
  });

  it('is asked for again when the list of containers changed, and else only after a minute', async () => {
    const remote = states();
    for (let look = 0; look < 5; look++) await remote.look();
    assert.equal(asked, 1);
    assert.deepEqual([remote.of(101), remote.of(102), remote.state, remote.answeredAt], [there, null, 'well', 1000]);
    version = 'two';
    await remote.look();
    assert.equal(asked, 2);
    now += 59_999;
    await remote.look();
    assert.equal(asked, 2);
    now += 1;
    await remote.look();
    assert.equal(asked, 3);
  });

  it('stays while it does not answer, which is logged once, and is not asked more often then', async () => {
    const remote = states();
    await remote.look();
    answer = away;
    for (let minute = 0; minute < 3; minute++) {
      now += 60_000;
      for (let look = 0; look < 3; look++) await remote.look();
    }
    assert.equal(asked, 4);
    assert.deepEqual(
      [remote.of(101), remote.state, remote.error?.code, remote.answeredAt],
      [there, 'failed', 'PROXMOX_API_UNAVAILABLE', 1000],
    );
    assert.deepEqual(logged, ['Proxmox’s API cannot be asked; the files go on saying what they say']);
    answer = () => [];
    now += 60_000;
    await remote.look();
    assert.deepEqual([remote.of(101), remote.state, remote.error], [null, 'well', null]);
    assert.equal(logged.at(-1), 'Proxmox’s API answers again');
  });

  it('is nothing without a token, and is not asked where there is no Proxmox', async () => {
    answer = () => null;
    const remote = states();
    await remote.look();
    assert.equal(remote.state, 'unset');
    await states(false).look();
    assert.equal(asked, 1);
  });
});
