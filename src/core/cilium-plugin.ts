import type { Conflist } from '../model/cni.ts';

/** Cilium's CNI plugin. */
export const ciliumPlugin = 'cilium-cni';

/** Whether a list makes an endpoint of Cilium's agent, as its only plugin or chained behind others. */
export function usesCilium({ plugins }: Conflist): boolean {
  return plugins.some(({ type }) => type === ciliumPlugin);
}

/** Whether a list is run over an interface that others made (Proxmox, LXC) and that stays theirs. */
export function adopts({ plugins }: Conflist): boolean {
  return plugins[0]?.type === ciliumPlugin && plugins[0]['chaining-mode'] !== undefined;
}

/** The agent's name of an attachment. */
export function attachmentIdOf({ containerId, ifname }: { containerId: string; ifname: string }): string {
  return `${containerId}:${ifname}`;
}
