import { addressUse } from '../core/address-use.ts';
import { durations } from '../core/durations.ts';
import { poolOf } from '../core/pools.ts';
import { frames } from '../core/traffic-history.ts';
import type { AddressUse, ContainerHistory, InterfaceStatus, NodeHistory, Timeframe, Topology } from '../model/panel-api.ts';
import { createContainerNames } from './container-names.ts';
import type { Dependencies } from './dependencies.ts';
import { interfaceStatuses } from './interface-statuses.ts';
import type { Reconciler } from './reconcile.ts';
import { topologyOf } from './topology.ts';
import type { Traffic } from './traffic.ts';

/** What there is to see of this node: interfaces and what passes through them, the picture, the history, the addresses. */
export interface NodeReports {
  /** Every interface that is configured or attached here. */
  interfaces(): Promise<InterfaceStatus[]>;
  /** None of a container that is not managed. */
  containerInterfaces(vmid: number): Promise<InterfaceStatus[]>;
  topology(): Promise<Topology>;
  history(timeframe: Timeframe): Promise<NodeHistory>;
  containerHistory(vmid: number, question: { timeframe: Timeframe; ifname?: string | undefined }): Promise<ContainerHistory>;
  addressUse(): Promise<AddressUse[]>;
}

/** how long a bucket of operations is, seconds */
const bucketSeconds: Record<Timeframe, number> = { hour: 60, day: 1800 };
/** more than a busy node has in a day */
const mostOperations = 50_000;

export function createNodeReports(deps: Dependencies, reconciler: Reconciler, traffic: Traffic): NodeReports {
  const sources = { deps, reconciler, traffic, nameOf: createContainerNames(deps.proxmox) };
  const { store, configuration, clock } = deps;
  return {
    interfaces: () => interfaceStatuses(sources),
    containerInterfaces: (vmid) => interfaceStatuses(sources, vmid),
    topology: () => topologyOf(sources),
    async history(timeframe) {
      const { stepSeconds, steps } = frames[timeframe];
      const seconds = bucketSeconds[timeframe];
      const ended = store.operations.ended(clock() - stepSeconds * steps * 1000, mostOperations);
      return {
        timeframe,
        stepSeconds,
        points: traffic.points(timeframe),
        bucketSeconds: seconds,
        operations: durations(ended, seconds),
      };
    },
    containerHistory: async (vmid, { timeframe, ifname }) => ({
      timeframe,
      stepSeconds: frames[timeframe].stepSeconds,
      points: traffic.points(timeframe, { vmid, ifname }),
    }),
    async addressUse() {
      const pools = [...configuration.current.networks.values()].flatMap((network) => {
        const pool = poolOf(network);
        // networks that share a pool are one line
        return pool && pool.network === network.name ? [pool] : [];
      });
      return pools.flatMap((pool) => addressUse(pool, store.addresses.list({ network: pool.network })));
    },
  };
}
