import type { Dependencies } from './dependencies.ts';

/** Runs a piece of work that reads a file of the cluster and then writes it, while no other node does. Kept short. Where the root is this
 *  node's alone, or takes no changes, the work is run as it is: its own refusal says more than that of the lock. Who waits for it may
 *  hold a container's turn already, never the other way round. */
export function exclusively<T>({ cluster, configuration, settings }: Dependencies, work: () => Promise<T>): Promise<T> {
  const isShared = settings.root.startsWith(`${settings.pveDir}/`);
  return isShared && configuration.current.writable ? cluster.locked(work) : work();
}
