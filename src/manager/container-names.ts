import type { ProxmoxFacts } from '../proxmox/facts.ts';

/** how long a name counts without anybody asking whether it is still so, ms */
const freshMs = 5000;

/** What Proxmox calls a container; its number when that cannot be said. Lists ask for a thousand at a time. */
export type NameOf = (vmid: number) => Promise<string>;

export function createContainerNames(proxmox: Pick<ProxmoxFacts, 'of' | 'version'>): NameOf {
  const names = new Map<number, string>();
  let version: string | null = null;
  let askedAt = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | null = null;

  async function forgetOld(): Promise<void> {
    const now = await proxmox.version();
    if (now !== version) names.clear();
    version = now;
    askedAt = performance.now();
  }

  return async (vmid) => {
    if (performance.now() - askedAt > freshMs) {
      asking ??= forgetOld().finally(() => {
        asking = null;
      });
      await asking;
    }
    const known = names.get(vmid);
    if (known !== undefined) return known;
    const facts = await proxmox.of(vmid).catch(() => null);
    if (facts) names.set(vmid, facts.name);
    return facts?.name ?? String(vmid);
  };
}
