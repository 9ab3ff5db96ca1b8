import assert from 'node:assert/strict';
import { createTally, diesDuring, killEnv, killPoints, useCrashRig } from './rig.ts';

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
    const tally = createTally();

    // the service that recovers from one death carries the point of the next: starts and stops take turns
    const killed = async (point: string | undefined, work: Promise<void>, next: string | undefined) => {
      if (point) tally.died(point, await diesDuring(daemon, point, work));
      await daemon.kill9();
      await daemon.start(killEnv(next));
      await work.catch(tally.fail(point));
      await rig.settled().catch(tally.fail(point));
    };
    await daemon.stop();
    await daemon.start(killEnv(points.attach[0]));
    for (let index = 0; index < Math.max(points.attach.length, points.detach.length); index++) {
      await killed(points.attach[index], container.start(), points.detach[index]);
      await killed(points.detach[index], container.stop(), points.attach[index + 1]);
    }
    tally.conclude();
  });
});
