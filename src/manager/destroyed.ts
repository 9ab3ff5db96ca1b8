import type { Dependencies } from './dependencies.ts';
import type { Operations } from './operations.ts';

/** Containers that were seen to exist and exist no more: their file is archived, their addresses are kept back, so that
 *  a new container of the same number inherits nothing. Only what is known for sure counts. */
export async function archiveDestroyed(deps: Dependencies, operations: Operations): Promise<void> {
  const { store, host, configuration, reservations, clock, log } = deps;
  const { containers, available, writable, settings } = configuration.current;
  const seen = new Set(store.seen.list());
  for (const vmid of containers.keys()) if (!seen.has(vmid) && (await host.lxc.exists(vmid)) === true) store.seen.add(vmid);
  if (!available || !writable) return;
  for (const vmid of store.seen.list()) {
    if ((await host.lxc.exists(vmid)) !== false || store.lives.get(vmid)) continue;
    const requester = { door: 'service', user: 'root' } as const;
    await operations
      .run({ kind: 'configure', vmid, requester, priority: 0, timeoutMs: 30_000 }, async (context) => {
        const before = await configuration.readContainer(vmid);
        await reservations.keep(vmid, clock() + settings.releaseAfterHours * 3_600_000);
        if (before !== null) await configuration.writeContainer(vmid, null);
        store.seen.remove(vmid);
        context.changed(before, null);
        context.say(`container ${vmid} was destroyed: its file is archived, its addresses are kept for ${settings.releaseAfterHours} h`);
      })
      .catch((error) => log.warn({ vmid, error: String(error) }, 'a destroyed container could not be archived; tried again later'));
  }
}
