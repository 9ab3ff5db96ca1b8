import assert from 'node:assert/strict';
import { killEnv, killPoints, untilKilled, useCrashRig } from './rig.ts';

describe('the service killed at every edge of every step', function () {
  this.timeout(600_000);
  const rig = useCrashRig({ count: 1 });

  it('D45 of an attach and of a detach: the container comes up with its network, and nothing is left when it has stopped', async () => {
    const { daemon } = rig;
    const [container] = rig.containers;
    assert.ok(container);
    await container.start();
    await container.stop();
    const points = {
      attach: killPoints(await rig.operation('attach', container.vmid)),
      detach: killPoints(await rig.operation('detach', container.vmid)),
    };
    assert.ok(points.attach.length > 20 && points.detach.length > 20, JSON.stringify(points));
    const failures: string[] = [];
    const note = (point: string | undefined) => (error: Error) => void failures.push(`${point}: ${error.message}`);

    // the service that recovers from one death carries the point of the next: starts and stops take turns
    const killed = async (point: string | undefined, work: Promise<void>, next: string | undefined) => {
      work.catch(() => {});
      if (point) await untilKilled(daemon, point).catch(note(point));
      await daemon.kill9();
      await daemon.start(killEnv(next));
      await work.catch(note(point));
      await rig.settled().catch(note(point));
    };
    await daemon.stop();
    await daemon.start(killEnv(points.attach[0]));
    for (let index = 0; index < Math.max(points.attach.length, points.detach.length); index++) {
      await killed(points.attach[index], container.start(), points.detach[index]);
      await killed(points.detach[index], container.stop(), points.attach[index + 1]);
    }
    console.log(`      killed at ${points.attach.length} + ${points.detach.length} points`);
    assert.deepEqual(failures, []);
  });
});
