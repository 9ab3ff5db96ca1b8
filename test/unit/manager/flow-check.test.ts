import assert from 'node:assert/strict';
import { checkFlows } from '../../../src/manager/flow-check.ts';
import type { FlowIntakeState } from '../../../src/manager/flow-intake.ts';
import { failure } from '../../../src/model/errors.ts';

describe('doctor’s look at flows', () => {
  const look = (intake: FlowIntakeState, { agent = true, problem = null as string | null } = {}) =>
    checkFlows({
      cilium: {
        ready: async () => {
          if (!agent) throw failure('CILIUM_UNAVAILABLE', 'nobody listens');
        },
      },
      flows: { counts: () => ({ rows: 5, problem }) },
      flowIntake: { state: () => intake },
      settings: { cilium: { hubbleSocket: '/run/cilium/hubble.sock' } },
    } as unknown as Parameters<typeof checkFlows>[0]); // what the check uses of them

  const cases: [string, FlowIntakeState, Parameters<typeof look>[1], string, RegExp][] = [
    ['they come in', { hubble: 'connected', problem: null }, {}, 'ok', /5 are kept/],
    ['Hubble does not answer and the agent does', { hubble: 'away', problem: 'no answer' }, {}, 'warning', /no answer/],
    [
      'Hubble is not there and the agent is',
      { hubble: 'absent', problem: null },
      {},
      'warning',
      /no socket of Hubble at .run.cilium.hubble\.sock/,
    ],
    ['there is no agent', { hubble: 'absent', problem: null }, { agent: false }, 'skipped', /no Cilium agent/],
    ['the agent is away with Hubble', { hubble: 'away', problem: 'no answer' }, { agent: false }, 'skipped', /no Cilium agent/],
    ['they cannot be kept', { hubble: 'connected', problem: null }, { problem: 'the disk is full' }, 'warning', /the disk is full/],
    ['nobody wants them', { hubble: 'off', problem: null }, {}, 'skipped', /retentionDays/],
  ];
  for (const [name, intake, more, state, message] of cases)
    it(`is ${state} when ${name}`, async () => {
      const [finding] = await look(intake, more);
      assert.equal(finding?.state, state);
      assert.match(finding?.message ?? '', message);
      assert.equal(Boolean(finding?.cure), state === 'warning', 'what is wrong has a cure');
    });
});
