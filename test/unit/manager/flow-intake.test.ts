// Hubble is a stand-in here: what is tested is what the service makes of its ends; the real one is in test/cilium/flows.test.ts.
import assert from 'node:assert/strict';
import type { Hubble, HubbleListener, HubbleMemory } from '../../../src/cilium/hubble.ts';
import { createFlowIntake, type FlowIntake } from '../../../src/manager/flow-intake.ts';
import type { FlowLog } from '../../../src/manager/flow-log.ts';
import type { FlowLoss } from '../../../src/model/flow.ts';
import { until } from '../../support/until.ts';
import { flow } from '../flow-fixture.ts';

describe('the intake of flows', () => {
  let memory: HubbleMemory;
  let wanted = true;
  let present = true;
  let newest: number | null = null;
  let now = 50_000;
  let losses: FlowLoss[] = [];
  let taken = 0;
  let follows: { since: number; listener: HubbleListener; end: (error: Error) => void }[] = [];
  let answers: () => Promise<HubbleMemory> = async () => memory;
  let closed = 0;
  let intake: FlowIntake;

  const hubble: Hubble = {
    memory: () => answers(),
    follow: ({ since, listener, signal }) =>
      new Promise((resolve, reject) => {
        follows.push({ since, listener, end: reject });
        signal.addEventListener('abort', () => resolve());
      }),
    close: () => {
      closed += 1;
    },
  };
  const flows = {
    take: () => {
      taken += 1;
    },
    lose: (loss: FlowLoss) => void losses.push(loss),
    newest: () => newest,
    wanted: () => wanted,
    keeps: () => true,
  } as unknown as FlowLog; // what the intake uses of it
  const quiet = { info: () => {}, warn: () => {}, error: () => {} };

  beforeEach(() => {
    memory = { startedAt: 1000, oldest: 2000, overwritten: false };
    [wanted, present, newest, now, losses, taken, follows, closed] = [true, true, null, 50_000, [], 0, [], 0];
    answers = async () => memory;
    intake = createFlowIntake({
      flows,
      present: () => present,
      connect: async () => hubble,
      clock: () => now,
      log: quiet,
      pauseMs: 5,
      heartbeatMs: 20,
    });
  });
  afterEach(() => intake.stop());
  const following = (count: number) => until('it follows', () => follows[count - 1]);

  it('asks for all that Hubble has when nothing is kept yet, and for no more than is new when something is', async () => {
    intake.start();
    assert.equal((await following(1)).since, 1000);
    await intake.stop();
    newest = 7000;
    intake = createFlowIntake({ flows, present: () => true, connect: async () => hubble, clock: () => now, log: quiet, pauseMs: 5 });
    intake.start();
    assert.equal((await following(2)).since, 7001);
    assert.deepEqual(losses, [], 'Hubble was there all the time and forgot nothing');
  });

  it('takes flows and losses', async () => {
    intake.start();
    const { listener } = await following(1);
    listener.flow(flow());
    listener.lost('kernel', 4);
    assert.equal(taken, 1);
    assert.deepEqual(losses, [{ place: 'kernel', count: 4, since: now, until: now }]);
    assert.deepEqual(intake.state(), { hubble: 'connected', problem: null });
  });

  it('notes the time that the agent was away, and goes on', async () => {
    intake.start();
    const first = await following(1);
    now = 60_000;
    answers = async () => {
      throw new Error('nobody listens');
    };
    first.end(new Error('the connection ended'));
    await until('it is away', () => intake.state().hubble === 'away' && /nobody listens/.test(intake.state().problem ?? ''));
    memory = { startedAt: 65_000, oldest: 65_500, overwritten: false };
    answers = async () => memory;
    const second = await following(2);
    assert.equal(second.since, 60_001);
    assert.deepEqual(losses, [{ place: 'away', since: 60_000, until: 65_000, count: null }]);
  });

  it('notes what Hubble has overwritten since it was heard last', async () => {
    newest = 1500;
    memory = { startedAt: 1000, oldest: 9000, overwritten: true };
    intake.start();
    await following(1);
    assert.deepEqual(losses, [{ place: 'away', since: 1500, until: 9000, count: null }]);
  });

  it('notices an agent that hangs', async () => {
    intake.start();
    await following(1);
    answers = async () => {
      throw new Error('no answer in time');
    };
    await until('it is away', () => intake.state().hubble === 'away');
    assert.ok(closed > 0, 'the connection is closed');
  });

  it('leaves Hubble alone while nobody wants flows, or none is there', async () => {
    wanted = false;
    intake.start();
    assert.equal(intake.state().hubble, 'off');
    present = false;
    wanted = true;
    await until('it is absent', () => intake.state().hubble === 'absent');
    assert.equal(follows.length, 0);
    present = true;
    await following(1);
    wanted = false;
    await until('it is off', () => intake.state().hubble === 'off');
    assert.equal(closed, 1);
  });
});
