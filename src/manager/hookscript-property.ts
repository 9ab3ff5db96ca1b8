import { asPveCniError } from '../model/errors.ts';
import { hookscriptVolume } from '../proxmox/hookscript-property.ts';
import type { Dependencies } from './dependencies.ts';
import type { Finding } from './doctor.ts';

/** After a change of a container's interfaces: its hookscript slot holds ours while it has any, as far as nobody else uses it. The answer
 *  and the audit row say what was done. Nothing depends on it, since the LXC drop-in does the work: it only brings reasons into the task
 *  log early. The caller holds neither the container's turn nor its lock: a start that holds the lock waits for the turn. */
export async function followHookscript(deps: Dependencies, vmid: number, operationId: string): Promise<void> {
  const said = await settle(deps, vmid).catch((thrown) => `its hookscript is not known: ${asPveCniError(thrown).message}`);
  const operation = said === null ? null : deps.store.operations.get(operationId);
  if (operation) deps.store.operations.end({ ...operation, message: `${operation.message}; ${said}` });
}

/** What people should know of it; null for nothing. */
async function settle({ cluster, configuration, hookscripts, node }: Dependencies, vmid: number): Promise<string | null> {
  if (!(await cluster.isProxmox())) return null;
  const place = (await cluster.places())?.get(vmid);
  if (place !== undefined && place !== node) return `it is on node ${place}, whose service follows within seconds`;
  const present = await hookscripts.of(vmid);
  if (present === null) return null;
  const isWanted = (configuration.current.containers.get(vmid)?.interfaces.length ?? 0) > 0;
  const isOurs = present === hookscriptVolume;
  if (isWanted === isOurs) return null;
  if (isWanted && present !== '') return `its hookscript ${present} is left alone: the LXC drop-in does the work`;
  if (!isWanted && present === '') return null;
  if (isWanted && !(await hookscripts.isInstalled()))
    return `its hookscript is not set, since ${hookscriptVolume} is not on this node (reinstall pve-cni): the LXC drop-in does the work`;
  try {
    await hookscripts.set(vmid, isWanted);
    return isWanted ? `its hookscript is ${hookscriptVolume} now` : 'its hookscript, which was ours, is taken off';
  } catch (thrown) {
    const { message, context } = asPveCniError(thrown);
    const why = typeof context.stderr === 'string' && context.stderr.trim() !== '' ? context.stderr.trim() : message;
    const byHand = isWanted ? `--hookscript ${hookscriptVolume}` : '--delete hookscript';
    return `its hookscript could not be ${isWanted ? 'set' : 'taken off'} (${why}): ${isWanted ? 'the LXC drop-in does the work' : 'it does no harm'}; by hand: pct set ${vmid} ${byHand}`;
  }
}

/** A hookscript that is not there keeps every container from starting that names it, clones and migrated ones among them. */
export async function checkHookscripts({ cluster, hookscripts }: Dependencies): Promise<Finding[]> {
  if (!(await cluster.isProxmox())) return [{ state: 'skipped', message: 'this is no node of Proxmox' }];
  const users = await hookscripts.users();
  if (await hookscripts.isInstalled()) return [{ state: 'ok', message: `${users.length} containers have our hookscript, and it is there` }];
  if (users.length === 0) return [{ state: 'ok', message: 'no container names our hookscript' }];
  return users.map((vmid) => ({
    state: 'bad' as const,
    message: `container ${vmid} cannot start: its hookscript ${hookscriptVolume} is not on this node`,
    cure: `reinstall pve-cni, or pct set ${vmid} --delete hookscript`,
  }));
}
