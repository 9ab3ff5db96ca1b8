import type { BridgeSpec } from '../datapath/linux-bridge.ts';
import type { OverlaySpec } from '../datapath/overlay.ts';
import type { Conflist } from '../model/cni.ts';
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
  /** what an endpoint of Cilium's agent is born with; null: the chain makes none */
  endpoint: {
    /** to be taken as given; null: the agent or the plugins before it choose */
    addresses: readonly string[] | null;
    /** '' leaves it to the plugins */
    mac: string;
  } | null;
}

/** A type of network: what it needs on the node, and the chain it runs. Optional members are its capability flags. */
export interface NetworkKind<N extends Network> {
  /** @throws ConfigurationError UNSUPPORTED */
  render(network: N, wanted: ContainerInterface, given: Given): Rendered;
  /** The bridge that must be there before ADD. */
  bridge?(network: N): BridgeSpec | null;
  /** The bridge of the node on which others make the interface, which stays theirs; null: the chain makes it. */
  adopts?(network: N): string | null;
  /** Subnets that Cilium carries and that the node must know the way to. */
  overlay?(network: N): OverlaySpec | null;
}
