import type { Dependencies } from './dependencies.ts';
import { exclusively } from './exclusively.ts';
import type { Operations } from './operations.ts';

/** Containers that were seen to exist and exist no more: their file is archived, their addresses are kept back, so that
 *  a new container of the same number inherits nothing. Only what is known for sure counts. All nodes of a cluster see it: one at a
 *  time does something about it, and looks again before it does. */
export async function archiveDestroyed(deps: Dependencies, operations: Operations): Promise<void> {
  const { store, cluster, configuration, reservations, clock, log } = deps;
  const { containers, available, writable, settings } = configuration.current;
  const seen = new Set(store.seen.list());
  const exists = await cluster.existence();
  for (const vmid of containers.keys()) if (!seen.has(vmid) && (await exists(vmid)) === true) store.seen.add(vmid);
  if (!available || !writable) return;
  const isGone = async (vmid: number) => (await cluster.exists(vmid)) === false && !store.lives.get(vmid);
  for (const vmid of store.seen.list()) {
    if ((await exists(vmid)) !== false) continue;
    const requester = { door: 'service', user: 'root' } as const;
    await operations
      .run({ kind: 'configure', vmid, requester, priority: 0, lazy: true, timeoutMs: 30_000 }, (context) =>
        exclusively(deps, async () => {
          // what was destroyed may have been made anew while its turn was waited for
          if (!(await isGone(vmid))) return;
          const before = await configuration.readContainer(vmid);
          if (before === null) return void store.seen.remove(vmid);
          context.record();
          await reservations.keep(vmid, clock() + settings.releaseAfterHours * 3_600_000);
          await configuration.writeContainer(vmid, null);
          store.seen.remove(vmid);
          context.changed(before, null);
          context.say(`container ${vmid} was destroyed: its file is archived, its addresses are kept for ${settings.releaseAfterHours} h`);
        }),
      )
      .catch((error) => log.warn({ vmid, error: String(error) }, 'a destroyed container could not be archived; tried again later'));
  }
}

/** The same soon after the list of containers changed: who is destroyed and made anew within a minute must not inherit.
 *  Where there is no Proxmox, nothing says so cheaply: there it is the reconcile's alone. */
export function createDestroyedWatch(deps: Dependencies, operations: Operations): () => Promise<void> {
  let known = '';
  return async () => {
    if (!(await deps.cluster.isProxmox())) return;
    const version = await deps.proxmox.version();
    if (version === known) return;
    known = version;
    await archiveDestroyed(deps, operations);
  };
}
