import { ciliumLabels, identityOf } from '../core/labels.ts';
import type { Dependencies } from './dependencies.ts';

/** The one label set of a container on a network, as Cilium writes it. */
export function labelsOf({ node, settings }: Dependencies, vmid: number, network: string): string[] {
  const identity = identityOf({ vmid, name: String(vmid), node, pool: null, network, tags: [], identityTags: [], labels: {} });
  return ciliumLabels(identity, settings.cilium.clusterName);
}
