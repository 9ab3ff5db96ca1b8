import { setTimeout as pause } from 'node:timers/promises';
import { execa } from 'execa';
import { createDaemon, type Daemon } from '../support/daemon.ts';
import { seed, webNetwork } from './seed.ts';
import { firstVmid } from './sides.ts';
import { createTarget } from './target.ts';

/** A service with so many containers in its store, with the intervals that it has by default; its first reconcile is over. */
export async function createSeeded(count: number): Promise<{ daemon: Daemon; end(): Promise<void> }> {
  const daemon = await createDaemon({ settings: { reconcileSeconds: 60, livenessSeconds: 5 } });
  daemon.write('networks/web.yaml', webNetwork);
  daemon.write(`containers/${firstVmid}.yaml`, 'interfaces: [{ name: eth0, network: web }]\n');
  const target = await createTarget();
  const inside = (...argv: string[]) => execa('nsenter', ['-t', String(target.pid), '-n', 'ip', ...argv]);
  await inside('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'host0');
  const unpin = await seed(daemon, count, target);
  await daemon.start();
  // not asked often: answers cost, too
  while ((await daemon.api('GET', '/v1/status')).body.lastReconcile === null) await pause(500);
  const { containers } = (await daemon.api('GET', '/v1/status')).body;
  if (containers.running !== count)
    throw new Error(`${containers.running} of ${count} seeded containers run: ${daemon.log().slice(-2000)}`);
  return {
    daemon,
    async end() {
      await daemon.stop();
      unpin();
      await target.kill();
      await daemon.destroy();
      await execa('ip', ['link', 'delete', 'bench-web'], { reject: false });
    },
  };
}
