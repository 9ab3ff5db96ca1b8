import type { Conflist } from '../model/cni.ts';

/** Cilium's CNI plugin. */
export const ciliumPlugin = 'cilium-cni';

/** Whether a list makes an endpoint of Cilium's agent, as its only plugin or chained behind others. */
export function usesCilium({ plugins }: Conflist): boolean {
  return plugins.some(({ type }) => type === ciliumPlugin);
}

/** The agent's name of an attachment. */
export function attachmentIdOf({ containerId, ifname }: { containerId: string; ifname: string }): string {
  return `${containerId}:${ifname}`;
}
