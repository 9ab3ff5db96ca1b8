import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isLifeOf, plan, type Situation, type Step } from '../../../src/core/plan.ts';
import { type Attachment, attachmentMoves, type Life } from '../../../src/model/attachment.ts';
import type { ContainerInterface } from '../../../src/model/container.ts';
import { attachment, bootId, life, sameLife, wanted } from './situations.ts';

const names = ['eth0', 'eth1', 'eth2', 'eth3'];
const networks = ['web', 'db'];
const fixed = [['10.20.0.10'], ['10.20.0.11'], ['fd00:20::9', '10.20.0.10'], ['FD00:20:0::9', '10.20.0.10', '10.20.0.10']];

const interfaces = fc.uniqueArray(
  fc.record({
    name: fc.constantFrom(...names),
    network: fc.constantFrom(...networks),
    address: fc.constantFrom<ContainerInterface['address']>('auto', ...fixed),
  }),
  { selector: ({ name }) => name },
);
const attachments = fc.uniqueArray(
  fc
    .record({
      ifname: fc.constantFrom(...names),
      network: fc.constantFrom(...networks),
      phase: fc.constantFrom<Attachment['phase']>('adding', 'attached', 'degraded', 'removing'),
      containerId: fc.constantFrom('now', 'earlier'),
      addresses: fc.constantFrom<string[]>(['10.20.0.10'], ['10.20.0.11'], ['fd00:20::9', '10.20.0.10']),
      since: fc.integer({ min: 1, max: 5 }),
    })
    .map(attachment),
  { selector: ({ ifname }) => ifname },
);
const situations: fc.Arbitrary<Situation> = fc.record({
  desired: fc.option(interfaces, { freq: 4 }),
  recorded: fc.record({ life: fc.option(fc.constant(life), { freq: 4 }), attachments }),
  observed: fc.record({
    bootId: fc.constantFrom(bootId, bootId, bootId, 'next-boot'),
    init: fc.constantFrom(sameLife, sameLife, sameLife, { pid: sameLife.pid, startTime: '9999' }, { pid: 7, startTime: '1000' }, null),
    pinned: fc.boolean(),
    drift: fc.uniqueArray(fc.constantFrom(...names)).map((list) => new Map(list.map((name) => [name, 'its link is gone']))),
  }),
});

/** The situation after a step, as the manager's executors leave it. @throws when the step cannot be done */
function apply({ desired, recorded, observed }: Situation, step: Step): Situation {
  const without = (ifname: string) => recorded.attachments.filter((one) => one.ifname !== ifname);
  const drift = new Map(observed.drift);
  switch (step.do) {
    case 'detach':
      assert.ok(recorded.attachments.includes(step.attachment), 'only what is recorded is detached');
      assert.ok(attachmentMoves[step.attachment.phase].includes('removing' as never));
      drift.delete(step.attachment.ifname);
      return { desired, recorded: { ...recorded, attachments: without(step.attachment.ifname) }, observed: { ...observed, drift } };
    case 'endLife':
      assert.equal(step.life, recorded.life);
      assert.deepEqual(recorded.attachments, [], 'a life ends when nothing of it is attached');
      return { desired, recorded: { life: null, attachments: [] }, observed: { ...observed, pinned: false } };
    case 'beginLife': {
      assert.equal(recorded.life, null, 'a new life begins when the old one is over');
      assert.deepEqual(recorded.attachments, [], 'nothing of an old life is left when the new one begins');
      const begun: Life = {
        ...life,
        containerId: 'new',
        bootId: observed.bootId,
        initPid: step.init.pid,
        initStartTime: step.init.startTime,
      };
      return { desired, recorded: { ...recorded, life: begun }, observed: { ...observed, pinned: true } };
    }
    case 'repin':
      assert.equal(observed.pinned, false);
      return { desired, recorded, observed: { ...observed, pinned: true } };
    case 'attach': {
      const { name: ifname, network, address } = step.interface;
      assert.ok(
        recorded.life && observed.init && isLifeOf(recorded.life, observed.init, observed.bootId),
        'only a recorded life is attached',
      );
      assert.ok(observed.pinned, 'its namespace is pinned before the first plugin runs');
      assert.deepEqual(without(ifname), recorded.attachments, 'an interface is attached once');
      const addresses =
        address === 'auto' ? ['10.20.0.99'] : [...new Set(address)].map((one) => one.toLowerCase().replace('20:0::', '20::'));
      const made = attachment({ ifname, network, addresses, containerId: recorded.life.containerId, phase: 'attached', since: 9 });
      drift.delete(ifname);
      return { desired, recorded: { ...recorded, attachments: [...recorded.attachments, made] }, observed: { ...observed, drift } };
    }
  }
}

const isSameLife = ({ recorded, observed }: Situation) =>
  recorded.life !== null && observed.init !== null && isLifeOf(recorded.life, observed.init, observed.bootId);
const detached = (steps: Step[]) => steps.flatMap((step) => (step.do === 'detach' ? [step.attachment] : []));
const property = (check: (situation: Situation, steps: Step[]) => void) =>
  fc.assert(
    fc.property(situations, (situation) => check(situation, plan(situation))),
    { numRuns: 3000 },
  );

describe('the plan', () => {
  it('can be done step by step, and leaves nothing to plan', () => {
    property((situation, steps) => {
      const after = steps.reduce(apply, situation);
      assert.deepEqual(plan(after), []);
    });
  });

  it('leaves a running container with exactly its interfaces, and a stopped one with none', () => {
    property((situation, steps) => {
      const { desired, recorded, observed } = steps.reduce(apply, situation);
      const present = recorded.attachments.map(({ ifname, network }) => `${ifname} ${network}`).sort();
      if (!observed.init) assert.deepEqual({ present, life: recorded.life }, { present: [], life: null });
      else if (desired) assert.deepEqual(present, desired.map(({ name, network }) => `${name} ${network}`).sort());
      if (recorded.attachments.length > 0) assert.ok(observed.pinned);
    });
  });

  it('detaches an attached interface of the same life only for a reason of the configuration or of the kernel', () => {
    property((situation, steps) => {
      if (!isSameLife(situation)) return;
      for (const one of detached(steps)) {
        if (one.containerId !== life.containerId || one.phase === 'adding' || one.phase === 'removing') continue;
        const configured = situation.desired?.find(({ name }) => name === one.ifname);
        const reasons = [
          !configured,
          configured?.network !== one.network,
          configured?.address !== 'auto',
          situation.observed.drift.has(one.ifname),
        ];
        assert.ok(reasons.some(Boolean), `${one.ifname} is detached without a reason`);
      }
    });
  });

  it('never detaches a running interface of the same life when nothing may be concluded from the configuration', () => {
    property(({ recorded, observed }) => {
      const situation = { desired: null, recorded, observed };
      if (!isSameLife(situation)) return;
      const running = (one: Attachment) => one.containerId === life.containerId && ['attached', 'degraded'].includes(one.phase);
      assert.deepEqual(detached(plan(situation)).filter(running), []);
    });
  });

  it('takes away all that an old life left, and ends it, before a new one begins', () => {
    property((situation, steps) => {
      const begin = steps.findIndex((step) => step.do === 'beginLife');
      if (begin < 0) return;
      const before = steps.slice(0, begin).map((step) => step.do);
      assert.equal(before.filter((one) => one === 'detach').length, situation.recorded.attachments.length);
      assert.deepEqual(before.slice(situation.recorded.attachments.length), situation.recorded.life ? ['endLife'] : []);
    });
  });

  it('detaches in the reverse order of the making, and before anything is attached', () => {
    property((_, steps) => {
      const times = detached(steps).map(({ since }) => since);
      assert.deepEqual(
        times,
        [...times].sort((one, other) => other - one),
      );
      const order = steps.map((step) => ['detach', 'endLife', 'beginLife', 'repin', 'attach'].indexOf(step.do));
      const sorted = [...order].sort((one, other) => one - other);
      // a life that ends with nothing configured ends after the detaching: the same order
      assert.deepEqual(order, sorted);
    });
  });

  it('attaches in the order of the file', () => {
    property(({ desired }, steps) => {
      const attached = steps.flatMap((step) => (step.do === 'attach' ? [step.interface.name] : []));
      assert.deepEqual(
        attached,
        (desired ?? []).map(({ name }) => name).filter((name) => attached.includes(name)),
      );
    });
  });

  describe('fixed addresses', () => {
    const one = attachment({ ifname: 'eth0', network: 'web', addresses: ['fd00:20::9', '10.20.0.10'] });
    const running = (address: ContainerInterface['address'], attached = one): Situation => ({
      desired: [wanted({ name: 'eth0', network: 'web', address })],
      recorded: { life, attachments: [attached] },
      observed: { bootId, init: sameLife, pinned: true, drift: new Map() },
    });

    it('are the same in any order, spelling and number of repetitions', () => {
      for (const address of [
        ['10.20.0.10', 'fd00:20::9'],
        ['FD00:20:0:0::9', '10.20.0.10'],
        ['10.20.0.10', 'fd00:20::9', '10.20.0.10'],
      ])
        assert.deepEqual(plan(running(address)), []);
      for (const address of [['10.20.0.10'], ['10.20.0.10', 'fd00:20::8'], ['10.20.0.10', 'fd00:20::9', '10.20.0.11']])
        assert.deepEqual(
          plan(running(address)).map((step) => step.do),
          ['detach', 'attach'],
        );
    });

    it('that were asked of the plugins count as asked, whatever else the plugins gave', () => {
      const asked = { ...one, request: { ...one.request, capabilityArgs: { ips: ['10.20.0.10'] } } };
      assert.deepEqual(plan(running(['10.20.0.10'], asked)), []);
      assert.deepEqual(
        plan(running(['10.20.0.11'], asked)).map((step) => step.do),
        ['detach', 'attach'],
      );
    });
  });
});

describe('the phases of an attachment', () => {
  it('come from absent and go back there, and every phase can be begun anew and be removed', () => {
    for (const [phase, moves] of Object.entries(attachmentMoves)) {
      for (const move of moves) assert.ok(move in attachmentMoves);
      if (phase === 'absent') continue;
      assert.ok((moves as readonly string[]).includes('removing') && (moves as readonly string[]).includes('adding'), phase);
    }
    assert.deepEqual(attachmentMoves.absent, ['adding'], 'the intent is recorded first');
    const intoAbsent = Object.entries(attachmentMoves).filter(([, moves]) => (moves as readonly string[]).includes('absent'));
    assert.deepEqual(
      intoAbsent.map(([phase]) => phase),
      ['removing'],
      'nothing vanishes without a DEL',
    );
  });
});
