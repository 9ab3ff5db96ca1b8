import type { Requester } from '../model/operation.ts';
import type { SetupStep, SetupView } from '../model/setup.ts';
import { hookscriptVolume } from '../proxmox/hookscript-property.ts';
import type { Dependencies } from './dependencies.ts';
import type { Operations } from './operations.ts';

/** What a node of Proxmox needs once, made as far as it is not there: folders of the root, access to Proxmox's API. One node of the cluster
 *  at a time. May be repeated at any moment. */
export async function setUp(
  deps: Dependencies,
  operations: Operations,
  { dryRun }: { dryRun: boolean },
  requester: Requester,
): Promise<SetupView> {
  const { cluster, apiAccess, remoteStates, configuration, settings } = deps;
  const folders = async (): Promise<SetupStep[]> => {
    const made = await configuration.makeFolders({ dryRun });
    return [
      {
        what: `root ${settings.root}`,
        state: made.length === 0 ? 'kept' : dryRun ? 'would be made' : 'made',
        message: made.length === 0 ? 'its folders are there' : made.join(', '),
      },
    ];
  };
  if (!(await cluster.isProxmox())) {
    const steps = dryRun ? await folders() : await record(operations, requester, folders);
    return {
      dryRun,
      steps: [...steps, { what: 'Proxmox', state: 'missing', message: `there is none here (${settings.pveDir}): nothing else to do` }],
    };
  }
  const all = async () => [...(await folders()), ...(await apiAccess.setUp({ dryRun })), await snippet(deps)];
  const steps = dryRun ? await all() : await record(operations, requester, () => cluster.locked(all));
  if (!dryRun) await remoteStates.look();
  return { dryRun, steps };
}

function record(operations: Operations, requester: Requester, work: () => Promise<SetupStep[]>): Promise<SetupStep[]> {
  return operations.run({ kind: 'setup', vmid: null, requester, priority: 5, timeoutMs: 300_000 }, async (context) => {
    const steps = await work();
    const done = steps.filter(({ state }) => state === 'made' || state === 'renewed');
    context.say(done.map(({ what, state }) => `${what} ${state}`).join(', ') || 'everything was there');
    return steps;
  });
}

async function snippet({ hookscripts, settings }: Dependencies): Promise<SetupStep> {
  const isThere = await hookscripts.isInstalled();
  return {
    what: `hookscript ${hookscriptVolume}`,
    state: isThere ? 'kept' : 'missing',
    message: isThere
      ? settings.proxmox.snippet
      : `${settings.proxmox.snippet} is not there: reinstall pve-cni; containers start without it, by the LXC drop-in`,
  };
}
