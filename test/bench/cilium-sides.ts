import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { ciliumLabels } from '../../src/core/labels.ts';
import { binaries } from '../cilium/binaries.ts';
import { createLab, type Lab, nodeSettings } from '../cilium/lab.ts';
import { createDaemon, type Daemon } from '../support/daemon.ts';
import { createBare } from './bare.ts';
import { attachAndDetach, firstVmid, quiet, type Side } from './sides.ts';
import { createPins, createTarget } from './target.ts';

/** Why there is no agent to measure beside; null: there is one. */
export function missingAgent(): string | null {
  if (process.getuid?.() !== 0) return 'Cilium’s agent needs root';
  return existsSync(`${binaries}/cilium-agent`) ? null : 'Cilium’s agent is not built (scripts/setup --test; there is no Go)';
}

export interface CiliumSides {
  /** the service, over its socket; the endpoint is born with its identity */
  ours: Side;
  /** cilium-cni and the least that gives its endpoint an identity (label-proxy.mjs) */
  bare: Side;
  daemon: Daemon;
  lab: Lab;
}

/** One real agent, the service beside it, and so many containers that are configured. */
export async function withCilium<T>(containers: number, work: (sides: CiliumSides) => Promise<T>): Promise<T> {
  const daemon = await createDaemon({ settings: { ...quiet, cilium: nodeSettings(1) }, pluginDirs: [binaries] });
  daemon.write('networks/pods.yaml', 'type: cilium\n');
  for (let n = 0; n < containers; n += 1) daemon.write(`containers/${firstVmid + n}.yaml`, 'interfaces: [{ name: eth0, network: pods }]\n');
  const lab = await createLab({ folders: [daemon] });
  const bare = createBare(binaries, `${daemon.runDir}/bare.sock`);
  const pins = createPins(`${daemon.dir}/bare`);
  const conflist = { cniVersion: '1.0.0' as const, name: 'pods', plugins: [{ type: 'cilium-cni' }] };
  try {
    await daemon.start();
    await daemon.reconciled();
    return await work({
      daemon,
      lab,
      ours: (count) => attachAndDetach(daemon, count),
      async bare(count) {
        const targets = await Promise.all(Array.from({ length: count }, createTarget));
        const requests = targets.map((target, n) => {
          const containerId = randomBytes(8).toString('hex');
          const labels = ciliumLabels({ type: 'container', vmid: String(firstVmid + 1000 + n) }, 'default');
          return { conflist, containerId, netns: pins.pin(containerId, target), ifname: 'eth0', labels };
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
    await daemon.stop();
    await lab.destroy();
    await daemon.destroy();
  }
}
