import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import type { OperationView } from '../../src/model/api.ts';
import type { Container } from '../support/lxc.ts';
import { useCrashRig } from './rig.ts';

const seed = Number(process.env.PVE_CNI_CRASH_SEED ?? 20260801);
const moments = process.env.PVE_CNI_FULL ? 500 : 40;
/** a burst of starts and stops is over by then, mostly */
const latestMs = 400;

/** mulberry32: the same numbers, from 0 to below 1, for the same seed */
function numbers(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** what may happen to a running container, and how often out of 100; else it runs on */
const endings = [
  [30, 'stop', (one: Container) => one.stop()],
  [10, 'kill init', (one: Container) => one.killInit()],
  [20, 'reboot', (one: Container) => one.rebootFromInside()],
] as const;

describe(`the service killed at ${moments} random moments while 5 containers start and stop`, function () {
  this.timeout(moments * 30_000);
  const rig = useCrashRig({ count: 5, settings: { reconcileSeconds: 2, livenessSeconds: 0.5 } });
  const random = numbers(seed);

  /** begins something with a container, or nothing */
  async function disturb(container: Container): Promise<[string, Promise<void>] | null> {
    if (!(await container.isRunning())) return random() < 0.7 ? ['start', container.start()] : null;
    let dice = random() * 100;
    for (const [share, what, end] of endings) {
      if (dice < share) return [what, end(container)];
      dice -= share;
    }
    return null;
  }

  it(`D45 what runs has its network, and nothing else is left (PVE_CNI_CRASH_SEED=${seed})`, async () => {
    const { daemon, containers } = rig;
    const failures: string[] = [];
    for (let moment = 1; moment <= moments; moment++) {
      const story: string[] = [];
      const ends: Promise<void>[] = [];
      for (const [index, container] of containers.entries()) {
        const begun = await disturb(container);
        if (!begun) continue;
        const [what, end] = begun;
        story.push(`${what} ${index + 1}`);
        end.catch(() => {});
        ends.push(end.catch((error) => Promise.reject(new Error(`${what} of container ${index + 1}: ${error.message}`))));
        end.catch(() => {});
      }
      const offsets = [random() * latestMs, ...(random() < 0.2 ? [random() * latestMs] : [])];
      for (const [nth, offset] of offsets.entries()) {
        if (nth > 0) daemon.launch();
        await pause(offset);
        await daemon.kill9();
      }
      await daemon.start();
      const outcomes = await Promise.allSettled(ends);
      const wrong = outcomes.flatMap((one) => (one.status === 'rejected' ? [String(one.reason.message)] : []));
      await rig.settled().catch((error) => wrong.push(error.message));
      const title = `moment ${moment}: ${story.join(', ') || 'nothing'}; killed after ${offsets.map(Math.round).join(' and ')} ms`;
      failures.push(...wrong.map((one) => `${title}: ${one}`));
      if (wrong.length > 0) console.log(`      ${title}: ${wrong.join('\n')}`);
    }
    const { body: operations } = await daemon.api('GET', '/v1/operations?limit=9999');
    const interrupted = operations.filter(({ outcome }: OperationView) => outcome === 'interrupted').length;
    console.log(`      ${interrupted} of ${operations.length} operations were interrupted`);
    assert.ok(interrupted > moments / 4, 'the service died in the middle of something');
    assert.deepEqual(failures, []);
  });
});
