import { Mutex } from 'async-mutex';
import type { Host } from '../host/host.ts';
import { applyBridge, type BridgeSpec, inspectBridge, ourBridges, removeBridge } from './linux-bridge.ts';
import { createMasquerade } from './masquerade.ts';

export type { BridgeSpec };

/** What networks need on the node: how it comes to be, and how it goes. */
export type Datapath = ReturnType<typeof createDatapath>;

export function createDatapath(host: Host) {
  const masquerade = createMasquerade(host);
  // twenty containers that start at once must not make their bridge twenty times
  const locks = new Map<string, Mutex>();
  const alone = <T>(name: string, work: () => Promise<T>) => {
    const lock = locks.get(name) ?? new Mutex();
    locks.set(name, lock);
    return lock.runExclusive(work);
  };
  return {
    /** What differs, in words; null when all is right. @throws InterfaceError INTERFACE_CONFLICT */
    inspect: (spec: BridgeSpec) => inspectBridge(host, spec),
    /** Makes it right. `deep` looks also at what is usually believed. Returns whether anything was changed. */
    async apply(spec: BridgeSpec, options: { deep: boolean }): Promise<boolean> {
      const bridgeChanged = await alone(spec.name, () => applyBridge(host, spec));
      return (await masquerade.apply(spec, options)) || bridgeChanged;
    },
    removeBridge: (name: string) => alone(name, () => removeBridge(host, name)),
    removeMasquerade: masquerade.remove,
    bridges: () => ourBridges(host),
    masqueradedNetworks: masquerade.networks,
  };
}
