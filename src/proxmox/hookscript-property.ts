import type { Run } from '../host/run.ts';
import { parseProxmoxConfig } from './container-config.ts';

/** How containers name our hookscript: the package puts it there, and `local` is always /var/lib/vz. */
export const hookscriptVolume = 'local:snippets/pve-cni-hook';

/** The one slot that a container's configuration has for a hookscript. */
export interface HookscriptProperty {
  /** What stands in it, '' for nothing; null: the container is not on this node, as Proxmox has it. */
  of(vmid: number): Promise<string | null>;
  /** Whether the file behind ours is there and can be run: a missing one keeps a container from starting. */
  isInstalled(): Promise<boolean>;
  /** Puts ours into the slot, or empties it. Proxmox's own program does it, as root, under the container's lock, which it waits for 10 s:
   *  never from inside a hook. @throws InterfaceError TOOL_FAILED, TOOL_MISSING */
  set(vmid: number, ours: boolean): Promise<void>;
  /** numbers of all containers of this node that name ours */
  users(): Promise<number[]>;
}

export interface HookscriptPropertyOptions {
  pveDir: string;
  /** the file that `hookscriptVolume` stands for */
  snippet: string;
  run: Run;
  /** path of Proxmox's `pct` */
  pct: () => Promise<string>;
  readText: (path: string, maxBytes: number) => Promise<string | null>;
  listFolder: (path: string) => Promise<string[]>;
  isExecutable: (path: string) => Promise<boolean>;
}

const maxBytes = 1024 * 1024;
/** a start of Perl with all of Proxmox, and the wait for the lock */
const pctMs = 30_000;

export function createHookscriptProperty(options: HookscriptPropertyOptions): HookscriptProperty {
  const { pveDir, snippet, run, pct, readText, listFolder, isExecutable } = options;

  async function of(vmid: number): Promise<string | null> {
    const text = await readText(`${pveDir}/lxc/${vmid}.conf`, maxBytes);
    return text === null ? null : parseProxmoxConfig(text).hookscript;
  }

  return {
    of,
    isInstalled: () => isExecutable(snippet),
    async set(vmid, ours) {
      const change: string[] = ours ? ['--hookscript', hookscriptVolume] : ['--delete', 'hookscript'];
      await run([await pct(), 'set', String(vmid), ...change], { timeoutMs: pctMs });
    },
    async users() {
      const vmids = (await listFolder(`${pveDir}/lxc`)).flatMap((name) => /^([1-9]\d{2,8})\.conf$/.exec(name)?.[1] ?? []).map(Number);
      const found = await Promise.all(vmids.map(of));
      return vmids.filter((_vmid, index) => found[index] === hookscriptVolume);
    },
  };
}
