import { attachmentIdOf, usesCilium } from '../core/cilium-plugin.ts';
import type { Dependencies } from './dependencies.ts';

/** Interfaces that are to be made anew: vmid → interface → why. */
export type Lost = ReadonlyMap<number, ReadonlyMap<string, string>>;

/** Finds attached interfaces whose endpoint the agent does not have any more, as after its state was lost. One look may fall into the
 *  moment in which an agent that starts has not taken its endpoints up again: what is missing at two looks in a row is lost. */
export function createLostEndpoints({ store, cilium }: Dependencies): () => Promise<Lost> {
  let before = new Set<string>();
  return async () => {
    const present = await cilium.endpoints();
    if (!present) return new Map();
    const ids = new Set(present.map(({ attachmentId }) => attachmentId));
    const rows = store.attachments.brief().filter(({ phase }) => phase === 'attached' || phase === 'degraded');
    const missing = rows.filter((row) => !ids.has(attachmentIdOf(row)) && isCiliums(row));
    const lost = missing.filter((row) => before.has(attachmentIdOf(row)));
    before = new Set(missing.map(attachmentIdOf));
    const why = 'Cilium’s agent has no endpoint for it any more';
    return new Map(lost.map(({ vmid, ifname }) => [vmid, new Map([[ifname, why]])] as const));
  };

  function isCiliums({ vmid, ifname }: { vmid: number; ifname: string }): boolean {
    const row = store.attachments.get(vmid, ifname);
    return row !== null && usesCilium(row.request.conflist);
  }
}
