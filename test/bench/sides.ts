import { randomBytes } from 'node:crypto';
import { createDaemon, type Daemon } from '../support/daemon.ts';
import { createBare } from './bare.ts';
import { fivePlugins, makeBridge, removeBridge } from './chain.ts';
import { timed } from './figures.ts';
import { post } from './request.ts';
import { createPins, createTarget } from './target.ts';

/** Milliseconds of one attach and of the detach after it, for so many interfaces at once. */
export interface Times {
  attach: number;
  detach: number;
}
export type Side = (count: number) => Promise<Times>;

export const firstVmid = 700_000_001;

/** Both sides over the same chain, the same bridge and the same pool. `ours` is the service, over its socket; `bare` a Node
 *  loop that is given namespaces which are pinned already. In both the process has ended before the detach. */
export async function withSides<T>(
  containers: number,
  work: (sides: { ours: Side; bare: Side; daemon: Daemon }) => Promise<T>,
): Promise<T> {
  const daemon = await createDaemon({ settings: quiet });
  const conflist = fivePlugins(`${daemon.dir}/host-local`);
  daemon.write('networks/bench.conflist', JSON.stringify(conflist));
  for (let n = 0; n < containers; n += 1)
    daemon.write(`containers/${firstVmid + n}.yaml`, 'interfaces: [{ name: eth0, network: bench }]\n');
  makeBridge();
  const bare = createBare();
  const pins = createPins(`${daemon.dir}/bare`);
  try {
    await daemon.start();
    await daemon.reconciled();
    return await work({
      daemon,
      ours: (count) => attachAndDetach(daemon, count),
      async bare(count) {
        const targets = await Promise.all(Array.from({ length: count }, createTarget));
        const requests = targets.map((target) => {
          const containerId = randomBytes(8).toString('hex');
          return { conflist, containerId, netns: pins.pin(containerId, target), ifname: 'eth0' };
        });
        const added = await bare.run(requests.map((request) => ({ ...request, verb: 'ADD' })));
        await Promise.all(targets.map((target) => target.kill()));
        const deleted = await bare.run(requests.map((request, n) => ({ ...request, verb: 'DEL', prevResult: added.results[n] })));
        for (const { netns } of requests) pins.unpin(netns);
        return { attach: added.ms, detach: deleted.ms };
      },
    });
  } finally {
    await bare.stop();
    await daemon.destroy();
    removeBridge();
  }
}

/** What runs by the clock, and not for a hook, is out of the way: it has figures of its own. */
export const quiet = { reconcileSeconds: 3600, livenessSeconds: 60 };

/** The hooks of containers `firstVmid`…, over the socket, all at once. */
export async function attachAndDetach(daemon: Daemon, count: number): Promise<Times> {
  const targets = await Promise.all(Array.from({ length: count }, createTarget));
  const attach = await timed(() => Promise.all(targets.map(({ pid }, n) => hook(daemon, 'start-host', { vmid: firstVmid + n, pid }))));
  await Promise.all(targets.map((target) => target.kill()));
  const detach = await timed(() => Promise.all(targets.map((_target, n) => hook(daemon, 'stop', { vmid: firstVmid + n }))));
  return { attach, detach };
}

function hook(daemon: Daemon, phase: string, body: object): Promise<void> {
  return post(daemon.socket, `/v1/hooks/${phase}`, body);
}
