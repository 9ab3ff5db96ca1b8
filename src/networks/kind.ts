import type { BridgeSpec } from '../datapath/linux-bridge.ts';
import type { OverlaySpec } from '../datapath/overlay.ts';
import type { CniResult, Conflist } from '../model/cni.ts';
import type { ContainerInterface } from '../model/container.ts';
import type { Network } from '../model/network.ts';

/** What an interface was given before its chain is rendered. */
export interface Given {
  /** addresses from our store, without prefix length; empty where the plugins choose */
  addresses: readonly string[];
  mac: string;
  defaultRoute: boolean;
}

/** What is run for an interface. */
export interface Rendered {
  conflist: Conflist;
  /** what `runtimeConfig` may carry */
  capabilityArgs: Record<string, unknown>;
  /** addresses that Cilium's agent is to take as given; null: it or the plugins before it choose */
  endpointAddresses: readonly string[] | null;
  /** an interface that others made and that the chain is run over: what the first plugin gets as prevResult */
  previous?: CniResult;
}

/** A type of network: what it needs on the node, and the chain it runs. Optional members are its capability flags. */
export interface NetworkKind<N extends Network> {
  /** @throws ConfigurationError UNSUPPORTED */
  render(network: N, wanted: ContainerInterface, given: Given): Rendered;
  /** The bridge that must be there before ADD. */
  bridge?(network: N): BridgeSpec | null;
  /** Subnets that Cilium carries and that the node must know the way to. */
  overlay?(network: N): OverlaySpec | null;
}
