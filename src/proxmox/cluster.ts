import { lstat } from 'node:fs/promises';
import { z } from 'zod';
import { type ClusterLock, createClusterLock } from './cluster-lock.ts';

/** Which containers there are on the cluster and where, and who is in it: what the cluster filesystem says by files of its own. */
export interface Cluster {
  /** whether this is a node of Proxmox: its cluster filesystem has a place here, mounted or not */
  isProxmox(): Promise<boolean>;
  /** vmid → node, of all containers; null when it cannot be known now, and without Proxmox */
  places(): Promise<ReadonlyMap<number, string> | null>;
  /** Whether the container exists, on any node of the cluster, or here under plain LXC. null: it cannot be known now. */
  exists(vmid: number): Promise<boolean | null>;
  /** the same for many, who are looked up at once */
  existence(): Promise<(vmid: number) => Promise<boolean | null>>;
  /** null: it cannot be known now, and without Proxmox */
  members(): Promise<Member[] | null>;
  /** Runs work that reads and then writes, while no other node does; without Proxmox it just runs it. */
  locked: ClusterLock;
}

export interface Member {
  node: string;
  online: boolean;
}

export interface ClusterOptions {
  pveDir: string;
  lxcPath: string;
  /** name of this node */
  node: string;
  /** text of a file of at most so many bytes; null when it cannot be had */
  readText: (path: string, maxBytes: number) => Promise<string | null>;
}

/** some 10,000 containers */
const maxBytes = 1024 * 1024;

const vmlist = z.object({ ids: z.record(z.string(), z.object({ node: z.string(), type: z.string() })) });
const memberList = z.object({ nodelist: z.record(z.string(), z.object({ online: z.number() })).optional() });

export function createCluster({ pveDir, lxcPath, node, readText }: ClusterOptions): Cluster {
  const isProxmox = () => isThere(pveDir);

  async function places(): Promise<ReadonlyMap<number, string> | null> {
    const list = parsed(vmlist, await readText(`${pveDir}/.vmlist`, maxBytes));
    // a virtual machine of that number is another thing
    const containers = Object.entries(list?.ids ?? {}).filter(([, { type }]) => type === 'lxc');
    return list && new Map(containers.map(([vmid, place]) => [Number(vmid), place.node]));
  }

  async function existence(): Promise<(vmid: number) => Promise<boolean | null>> {
    if (!(await isProxmox())) return (vmid) => isThere(`${lxcPath}/${vmid}/config`);
    const known = await places();
    return async (vmid) => known?.has(vmid) ?? null;
  }

  return {
    isProxmox,
    places,
    existence,
    exists: async (vmid) => (await existence())(vmid),
    async members() {
      const list = parsed(memberList, await readText(`${pveDir}/.members`, maxBytes));
      if (!list) return null;
      // a node that is no cluster lists nobody
      const found = Object.entries(list.nodelist ?? {}).map(([name, { online }]) => ({ node: name, online: online === 1 }));
      return found.length > 0 ? found : [{ node, online: true }];
    },
    locked: createClusterLock({ folder: `${pveDir}/priv/lock`, isProxmox }),
  };
}

function parsed<Schema extends z.ZodType>(schema: Schema, text: string | null): z.output<Schema> | null {
  try {
    return text === null ? null : (schema.safeParse(JSON.parse(text)).data ?? null);
  } catch {
    return null;
  }
}

/** Anything but "there is no such thing" counts as there: a mount that died is no reason to conclude anything. */
function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT' && error.code !== 'ENOTDIR',
  );
}
