import { failure } from '../model/errors.ts';
import type { Requester } from '../model/operation.ts';
import { addressesFor, networkOf } from './attach.ts';
import { changeRequest, done, settleNow, when, write } from './configure.ts';
import type { Dependencies } from './dependencies.ts';
import type { Operations } from './operations.ts';

/** Gives a container back what was archived when one of its number was destroyed: its file, and its addresses as far as they are still
 *  kept. Only when somebody asks: a new container of the same number inherits nothing by itself. */
export async function restoreContainer(deps: Dependencies, operations: Operations, vmid: number, requester: Requester): Promise<string> {
  const { configuration, cluster, reservations } = deps;
  return operations.run(changeRequest(deps, vmid, requester), async (context) => {
    await configuration.refresh(vmid);
    if (configuration.current.containers.has(vmid))
      throw failure(
        'CONFIG_DUPLICATE',
        `cannot restore the networks of container ${vmid}: it has some; detach its interfaces first (pve-cni container show ${vmid})`,
        { vmid },
      );
    if ((await cluster.exists(vmid)) === false)
      throw failure(
        'CONTAINER_GONE',
        `cannot restore the networks of container ${vmid}: there is no such container; restore it first (pct restore)`,
        {
          vmid,
        },
      );
    const archived = await configuration.archivedContainer(vmid);
    if (archived === null)
      throw failure('CONTAINER_UNKNOWN', `cannot restore the networks of container ${vmid}: no file of it is in archive/`, { vmid });
    const file = configuration.parseContainer(vmid, archived);
    await reservations.reclaim(vmid);
    for (const wanted of file.interfaces) await addressesFor(deps, vmid, wanted, networkOf(deps, wanted, vmid));
    await write(deps, vmid, file, null);
    deps.store.seen.add(vmid);
    const settled = await settleNow(deps, vmid, context);
    const names = file.interfaces.map(({ name, network }) => `${name} on ${network}`).join(', ');
    return done(deps, vmid, context, null, `container ${vmid} has its networks back (${names}), ${when(settled)}`);
  });
}
