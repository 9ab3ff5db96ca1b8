import type { ConfigSnapshot } from '../config/configuration.ts';
import type { Dependencies } from './dependencies.ts';

/** `managed/VMID` below the state folder: what the hooks' guard looks for, so that foreign containers cost a file test.
 *  It says what the hook is to do when the service is not there: `refuse` or `start`. */
function folder({ settings }: Dependencies): string {
  return `${settings.stateDir}/managed`;
}

export async function listMarkers(deps: Dependencies): Promise<number[]> {
  const names = await deps.host.listFolder(folder(deps));
  return names.filter((name) => /^[1-9]\d{2,8}$/.test(name)).map(Number);
}

/** Makes the markers say what is configured. A container whose file cannot be read is managed: its start is refused.
 *  Markers of containers that left are removed by gc, once nothing of theirs is left. */
export async function writeMarkers(deps: Dependencies, { containers, problems }: ConfigSnapshot): Promise<void> {
  const wanted = new Map<number, string>();
  for (const { file } of problems) {
    const vmid = /^containers\/([1-9]\d{2,8})\.yaml$/.exec(file)?.[1];
    if (vmid) wanted.set(Number(vmid), 'refuse');
  }
  for (const { vmid, onFailure } of containers.values()) wanted.set(vmid, onFailure);
  for (const [vmid, text] of wanted) {
    const path = `${folder(deps)}/${vmid}`;
    if ((await deps.host.readText(path))?.trim() !== text) await deps.host.writeDurably(path, `${text}\n`);
  }
}

export async function removeMarker(deps: Dependencies, vmid: number): Promise<void> {
  await deps.host.remove(`${folder(deps)}/${vmid}`);
}
