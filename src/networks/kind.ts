import type { BridgeSpec } from '../datapath/linux-bridge.ts';
import type { Conflist } from '../model/cni.ts';
import type { ContainerInterface } from '../model/container.ts';
import type { Network, Subnet } from '../model/network.ts';

/** What an interface was given before its chain is rendered. */
export interface Given {
  /** addresses from our store, without prefix length; empty where the plugins choose */
  addresses: readonly string[];
  mac: string;
  defaultRoute: boolean;
}

/** A type of network: what it needs on the node, and the chain it runs. Optional members are its capability flags. */
export interface NetworkKind<N extends Network> {
  /** The list to run, and what `runtimeConfig` may carry. @throws ConfigurationError UNSUPPORTED */
  render(network: N, wanted: ContainerInterface, given: Given): { conflist: Conflist; capabilityArgs: Record<string, unknown> };
  /** The bridge that must be there before ADD. */
  bridge?(network: N): BridgeSpec;
  /** Subnets that our store gives addresses from; absent or null: the plugins choose. */
  subnets?(network: N): readonly Subnet[] | null;
}
