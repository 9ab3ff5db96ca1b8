import type { CachedAttachment } from '../cni/runtime.ts';
import { isLifeOf } from '../core/plan.ts';
import type { Attachment, Life } from '../model/attachment.ts';
import type { Dependencies } from './dependencies.ts';

/** Rebuilds a lost journal from what outlives it: the plugins' cache says what was given to whom, the pins and the
 *  running inits say which lives go on. Anything that fits no running container is recorded all the same, so that the
 *  ordinary reconcile takes it away. Returns how many attachments were found. */
export async function rebuildJournal(deps: Dependencies): Promise<number> {
  const { runtime, host, store, bootId, settings } = deps;
  const { entries, damaged } = await runtime.cached();
  if (damaged.length > 0) deps.log.warn({ damaged }, 'some files of the plugins’ cache cannot be read');
  const inits = await host.findInits();
  let found = 0;
  for (const entry of entries) {
    const vmid = Number(entry.args.PVE_VMID);
    if (!Number.isInteger(vmid) || store.attachments.get(vmid, entry.ifname)) continue;
    const netnsPath = `${settings.netnsDir}/ct${vmid}`;
    const init = inits.get(vmid);
    const alive =
      init !== undefined && entry.netns === netnsPath && (await host.namespaceOf(init.pid, 'net')) === (await host.netns.inode(netnsPath));
    const life: Life = {
      vmid,
      generation: 0,
      containerId: entry.containerId,
      bootId: alive ? bootId : '',
      initPid: alive && init ? init.pid : 0,
      initStartTime: alive && init ? init.startTime : '',
      netnsPath,
    };
    const known = store.lives.get(vmid);
    // of two lives of one container in the cache the living one is the container's; the other is a leak that gc takes
    if (known && (known.containerId !== entry.containerId ? isLiving(known, bootId) : false)) continue;
    store.transaction(() => {
      store.lives.put(life);
      const attachment = attachmentOf(entry, vmid, life.bootId, deps.clock());
      store.attachments.put({ ...attachment, phase: 'adding' });
      // an ADD that never ended is undone
      if (entry.result && !entry.unfinished) store.attachments.put(attachment);
    });
    found += 1;
  }
  return found;
}

function isLiving(life: Life, bootId: string): boolean {
  return isLifeOf(life, { pid: life.initPid, startTime: life.initStartTime }, bootId);
}

function attachmentOf(
  { result, file: _file, unfinished: _unfinished, ...request }: CachedAttachment,
  vmid: number,
  bootId: string,
  since: number,
): Attachment {
  const index = result?.interfaces.findIndex((one) => one.name === request.ifname && one.sandbox) ?? -1;
  return {
    vmid,
    ifname: request.ifname,
    network: request.conflist.name,
    phase: 'attached',
    containerId: request.containerId,
    bootId,
    request,
    result,
    addresses: result?.ips.map(({ address }) => address.split('/')[0] ?? '') ?? [],
    mac: result?.interfaces[index]?.mac ?? '',
    hostInterface: result?.interfaces.filter((one) => !one.sandbox).at(-1)?.name ?? '',
    error: null,
    since,
  };
}
