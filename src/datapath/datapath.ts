import { Mutex } from 'async-mutex';
import type { Host } from '../host/host.ts';
import { createGate } from './gate.ts';
import { applyBridge, type BridgeSpec, inspectBridge, ourBridges, removeBridge } from './linux-bridge.ts';
import { createMasquerade } from './masquerade.ts';
import { createNodePorts } from './node-ports.ts';
import {
  applyOverlay,
  applyRemoteRoutes,
  inspectOverlay,
  type OverlaySpec,
  overlayRoutes,
  type RemoteAddress,
  removeOverlayRoute,
} from './overlay.ts';

export type { BridgeSpec };

/** What networks need on the node: how it comes to be, and how it goes. */
export type Datapath = ReturnType<typeof createDatapath>;

/** `nativeRange`: what Cilium's nodes route as it is. */
export function createDatapath(host: Host, { nativeRange }: { nativeRange?: string | undefined } = {}) {
  // overlays whose routes this process made, and believes in until it looks again
  const routed = new Set<string>();
  const masquerade = createMasquerade(host);
  // twenty containers that start at once must not make their bridge twenty times
  const locks = new Map<string, Mutex>();
  const alone = <T>(name: string, work: () => Promise<T>) => {
    const lock = locks.get(name) ?? new Mutex();
    locks.set(name, lock);
    return lock.runExclusive(work);
  };
  return {
    gate: createGate(host),
    nodePorts: createNodePorts(host),
    /** What differs, in words; null when all is right. @throws InterfaceError INTERFACE_CONFLICT */
    inspect: (spec: BridgeSpec) => inspectBridge(host, spec),
    /** Makes it right. `deep` looks also at what is usually believed. Returns whether anything was changed. */
    async apply(spec: BridgeSpec, options: { deep: boolean }): Promise<boolean> {
      const bridgeChanged = await alone(spec.name, () => applyBridge(host, spec));
      return (await masquerade.apply(spec, options)) || bridgeChanged;
    },
    inspectOverlay: (spec: OverlaySpec) => inspectOverlay(host, spec),
    /** The same for subnets that Cilium carries. @throws CNIError CILIUM_UNAVAILABLE */
    async applyOverlay(spec: OverlaySpec, { deep }: { deep: boolean }): Promise<boolean> {
      const key = JSON.stringify(spec);
      const changed = (deep || !routed.has(key)) && (await alone('cilium', () => applyOverlay(host, spec)));
      routed.add(key);
      const { network, subnets } = spec;
      const except = [...subnets, ...(nativeRange ? [nativeRange] : [])];
      const masqueraded = { network, masquerade: spec.masquerade ? subnets : [], name: 'cilium_*', except, seenAsIs: subnets };
      return (await masquerade.apply(masqueraded, { deep })) || changed;
    },
    applyRemoteRoutes: (wanted: readonly RemoteAddress[]) => alone('cilium', () => applyRemoteRoutes(host, wanted)),
    overlayRoutes: () => overlayRoutes(host),
    removeOverlayRoute: (cidr: string) => removeOverlayRoute(host, cidr),
    removeBridge: (name: string) => alone(name, () => removeBridge(host, name)),
    removeMasquerade: masquerade.remove,
    bridges: () => ourBridges(host),
    masqueradedNetworks: masquerade.networks,
  };
}
