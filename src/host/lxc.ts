import { readFile } from 'node:fs/promises';
import { exists } from './files.ts';
import type { Run } from './run.ts';

/** LXC and Proxmox as far as a node's containers go. */
export interface Lxc {
  /** Whether the container exists, on any node of a Proxmox cluster or here under plain LXC.
   *  null: it cannot be known now (the cluster filesystem does not answer). */
  exists(vmid: number): Promise<boolean | null>;
  /** Ends a running container at once. */
  kill(vmid: number): Promise<void>;
}

export function createLxc(run: Run, lxcPath: string, pveDir: string): Lxc {
  return {
    async exists(vmid) {
      if (!(await exists(pveDir))) return exists(`${lxcPath}/${vmid}/config`);
      const text = await readFile(`${pveDir}/.vmlist`, 'utf8').catch(() => null);
      if (text === null) return null;
      const { ids }: { ids?: Record<string, unknown> } = JSON.parse(text);
      return ids ? String(vmid) in ids : null;
    },
    async kill(vmid) {
      await run(['lxc-stop', '-P', lxcPath, '-n', String(vmid), '-k'], { timeoutMs: 20_000 });
    },
  };
}
