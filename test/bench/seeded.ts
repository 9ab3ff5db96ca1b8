import { setTimeout as pause } from 'node:timers/promises';
import { execa } from 'execa';
import { createDaemon, type Daemon } from '../support/daemon.ts';
import { linkName, seed, webNetwork } from './seed.ts';
import { firstVmid } from './sides.ts';
import { createTarget } from './target.ts';

/** A service with so many containers in its store, with the intervals that it has by default; its first reconcile is over. With `links`
 *  each has an end on the node, and the first one that many interfaces. */
export async function createSeeded(
  count: number,
  links: { first: number } | null = null,
): Promise<{ daemon: Daemon; end(): Promise<void> }> {
  const daemon = await createDaemon({ settings: { reconcileSeconds: 60, livenessSeconds: 5 } });
  daemon.write('networks/web.yaml', webNetwork);
  daemon.write(`containers/${firstVmid}.yaml`, 'interfaces: [{ name: eth0, network: web }]\n');
  const target = await createTarget();
  const inside = (...argv: string[]) => execa('nsenter', ['-t', String(target.pid), '-n', 'ip', ...argv]);
  await inside('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'host0');
  if (links) await makeLinks(count + links.first - 1, target.pid);
  const unpin = await seed(daemon, count, target, links);
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
      if (links) await execa('ip', ['link', 'delete', 'group', String(linkGroup)], { reject: false });
    },
  };
}

/** what all of them are removed by */
const linkGroup = 214;

/** The bridge of the network as the service makes it, with so many ports, whose other ends are in the namespace of a process. */
async function makeLinks(count: number, pid: number): Promise<void> {
  const ports = Array.from({ length: count }, (_, n) => [
    `link add name ${linkName(n)} group ${linkGroup} type veth peer name end${n} netns ${pid}`,
    `link set dev ${linkName(n)} master bench-web up`,
  ]);
  const lines = [
    'link add name bench-web type bridge',
    'link set dev bench-web alias pve-cni:web',
    'link set dev bench-web up',
    ...ports.flat(),
  ];
  await execa('ip', ['-batch', '-'], { input: `${lines.join('\n')}\n` });
}
