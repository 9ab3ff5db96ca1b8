import { mkdir } from 'node:fs/promises';
import type { CiliumPaths } from '../core/cilium-agent.ts';
import { agentConfig, etcdConfig } from '../core/cilium-agent.ts';
import type { Host } from '../host/host.ts';
import type { CiliumSettings } from '../model/cilium.ts';

/** The files that the agent is started with: one for each flag in a folder, etcd's client configuration, and the places that it watches. */

type Files = Pick<Host, 'listFolder' | 'readText' | 'remove' | 'writeDurably'>;

/** Flags as they lie on the disk. */
export async function readFlags(host: Files, folder: string): Promise<Record<string, string>> {
  const names = await host.listFolder(folder);
  const entries = await Promise.all(names.map(async (name) => [name, (await host.readText(`${folder}/${name}`)) ?? ''] as const));
  return Object.fromEntries(entries);
}

/** Brings the files to what the settings want. Each is replaced as a whole; flags that are not wanted any more are removed; what is right
 *  stays untouched. Gives the names of the flags that changed. The agent reads them at its next start. */
export async function writeAgentFiles(
  host: Files,
  { settings, paths, nodeAddress }: { settings: CiliumSettings; paths: CiliumPaths; nodeAddress: string },
): Promise<string[]> {
  const wanted = agentConfig(settings, { paths, nodeAddress });
  const present = await readFlags(host, paths.configDir);
  const changed = [...new Set([...Object.keys(wanted), ...Object.keys(present)])].filter((flag) => wanted[flag] !== present[flag]).sort();
  await writeWhereOther(host, paths.etcd, `${JSON.stringify(etcdConfig(settings), null, 2)}\n`);
  // the agent ends itself when there is no folder of policies; a file of services that is missing is an error in its log
  await mkdir(paths.policies, { recursive: true, mode: 0o700 });
  if ((await host.readText(paths.services)) === null) await host.writeDurably(paths.services, '{ "services": [], "endpoints": [] }\n');
  for (const flag of changed) {
    const value = wanted[flag];
    if (value === undefined) await host.remove(`${paths.configDir}/${flag}`);
    else await host.writeDurably(`${paths.configDir}/${flag}`, value);
  }
  return changed;
}

async function writeWhereOther(host: Files, path: string, text: string): Promise<void> {
  if ((await host.readText(path)) !== text) await host.writeDurably(path, text);
}
