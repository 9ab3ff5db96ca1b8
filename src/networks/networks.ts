import type { Network } from '../model/network.ts';
import { bridge } from './bridge.ts';
import { cilium } from './cilium.ts';
import { cni } from './cni.ts';
import type { NetworkKind } from './kind.ts';

/** Every type of network that can be loaded: adding one is a file and a line. */
const networkKinds: { [T in Network['type']]: NetworkKind<Extract<Network, { type: T }>> } = { bridge, cni, cilium };

/** The kind of a network, in a form that takes any network: the table guarantees that they fit. */
export function kindOf(network: Network): NetworkKind<Network> {
  return networkKinds[network.type] as NetworkKind<Network>;
}
