import type { Run } from './run.ts';

/** LXC as far as a node's containers go. */
export interface Lxc {
  /** Ends a running container at once. */
  kill(vmid: number): Promise<void>;
}

export function createLxc(run: Run, lxcPath: string): Lxc {
  return {
    async kill(vmid) {
      await run(['lxc-stop', '-P', lxcPath, '-n', String(vmid), '-k'], { timeoutMs: 20_000 });
    },
  };
}
