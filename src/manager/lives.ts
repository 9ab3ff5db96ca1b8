import { containerIdOf } from '../core/ids.ts';
import type { ObservedInit } from '../core/plan.ts';
import type { Life } from '../model/attachment.ts';
import { failure } from '../model/errors.ts';
import { sha256 } from './attach.ts';
import type { Dependencies } from './dependencies.ts';
import { debtPin } from './detach.ts';

/** A new life: recorded, then its namespace pinned as `ctVMID`. @throws InterfaceError NETNS_SHARED, NETNS_GONE, NETNS_PIN_FAILED */
export async function beginLife(deps: Dependencies, vmid: number, init: ObservedInit): Promise<Life> {
  const { store, host, settings, trace, clock, node, bootId } = deps;
  await refuseShared(deps, vmid, init);
  const last = store.lives.lastGeneration(vmid);
  // after a lost journal the count goes on from the clock, in ms: no life is that short, so no containerId comes twice
  const generation = last === 0 ? Math.floor(clock()) : last + 1;
  const life: Life = {
    vmid,
    generation,
    containerId: containerIdOf(node, vmid, generation, sha256),
    bootId,
    initPid: init.pid,
    initStartTime: init.startTime,
    netnsPath: `${settings.netnsDir}/ct${vmid}`,
  };
  // a pin does not outlive a power cut, and what is attached to it is recorded after it
  store.relaxed(() => store.lives.put(life));
  try {
    await trace('step:pin', () => host.netns.pin(init, life.netnsPath));
  } catch (error) {
    store.lives.remove(vmid);
    throw error;
  }
  return life;
}

/** The end of a life whose attachments are gone: unpinned, or pinned elsewhere for the debts that still need it. */
export async function endLife({ store, host, trace, ...deps }: Dependencies, life: Life): Promise<void> {
  await trace('step:unpin', async () => {
    const debts = store.debts.list().filter((debt) => debt.containerId === life.containerId && debt.request.netns === life.netnsPath);
    const pinned = (await host.netns.inode(life.netnsPath)) !== null;
    if (debts.length > 0 && pinned) {
      const path = debtPin({ store, host, trace, ...deps }, life.containerId);
      for (const debt of debts) store.debts.put({ ...debt, request: { ...debt.request, netns: path } });
      await host.netns.move(life.netnsPath, path);
    } else {
      await host.netns.unpin(life.netnsPath);
    }
  });
  store.relaxed(() => store.lives.remove(life.vmid));
}

/** Pins a living namespace again whose pin somebody removed. */
export async function repin({ host, trace }: Dependencies, life: Life): Promise<void> {
  await trace('step:pin', () => host.netns.pin({ pid: life.initPid, startTime: life.initStartTime }, life.netnsPath));
}

/** A pid that is not this container's, or whose namespace is the host's or another container's, must never be touched. */
async function refuseShared({ host, settings }: Dependencies, vmid: number, init: ObservedInit): Promise<void> {
  const [inode, ours, first] = await Promise.all([
    host.namespaceOf(init.pid, 'net'),
    host.namespaceOf('self', 'net'),
    host.namespaceOf(1, 'net'),
  ]);
  if (inode === null)
    throw failure('NETNS_GONE', `cannot attach container ${vmid}: process ${init.pid} has ended`, { vmid, pid: init.pid });
  if (inode === ours || inode === first)
    throw failure(
      'NETNS_SHARED',
      `cannot attach container ${vmid}: it shares the host's network namespace (lxc.net.0.type = none); give it one of its own`,
      { vmid },
    );
  const owner = await host.containerOf(init.pid);
  if (owner !== null && owner !== vmid)
    throw failure('NETNS_SHARED', `cannot attach container ${vmid}: process ${init.pid} belongs to container ${owner}`, {
      vmid,
      pid: init.pid,
    });
  const pinned = await host.netns.pinnedAt(inode);
  if (pinned !== null && pinned !== `${settings.netnsDir}/ct${vmid}`)
    throw failure('NETNS_SHARED', `cannot attach container ${vmid}: it shares the network namespace that is pinned at ${pinned}`, {
      vmid,
      path: pinned,
    });
}
