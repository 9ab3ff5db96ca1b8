import { interfaceKey } from '../core/leaks.ts';
import { poolOf } from '../core/pools.ts';
import type { ContainerConfig } from '../model/container.ts';
import { asPveCniError, type PveCniError } from '../model/errors.ts';
import type { Network } from '../model/network.ts';
import { addressesFor, networkOf } from './attach.ts';
import type { Dependencies } from './dependencies.ts';

/** What every configured interface may hold of which pool: `vmid/ifname/network` → 'auto' or its fixed addresses. */
export function addressesWanted(
  containers: ReadonlyMap<number, ContainerConfig>,
  networks: ReadonlyMap<string, Network>,
): Map<string, 'auto' | readonly string[]> {
  const pool = (name: string) => {
    const network = networks.get(name);
    return (network && poolOf(network)?.network) ?? name;
  };
  return new Map(
    [...containers.values()].flatMap(({ vmid, interfaces }) =>
      interfaces.map(({ name, network, address }) => [interfaceKey(vmid, name, pool(network)), address] as const),
    ),
  );
}

/** Reserves what a container's interfaces are to have: when they are configured, not at the first start. Nothing is
 *  reserved for one that is there already. Returns why some could not be. */
export async function reserveAll(deps: Dependencies, { vmid, interfaces }: ContainerConfig): Promise<PveCniError[]> {
  const errors: PveCniError[] = [];
  for (const wanted of interfaces) {
    try {
      await addressesFor(deps, vmid, wanted, networkOf(deps, wanted, vmid));
    } catch (thrown) {
      errors.push(asPveCniError(thrown));
    }
  }
  return errors;
}
