import { adopts, usesCilium } from '../core/cilium-plugin.ts';
import { nextTryAfterMs } from '../core/debts.ts';
import type { Attachment, Debt } from '../model/attachment.ts';
import type { CniAttachment } from '../model/cni.ts';
import { type ErrorCode, errorCodes } from '../model/error-codes.ts';
import { asPveCniError, errorRecord, failure } from '../model/errors.ts';
import type { Dependencies } from './dependencies.ts';

/** A DEL that ends within this time needs no help with its link, ms. */
const quickMs = 200;

export interface DetachOptions {
  /** for the whole chain; then it is a debt */
  timeoutMs: number;
  /** an interface that others made and that is to be protected again at once stays behind its gate meanwhile */
  gated?: boolean;
  /** a path at which LXC still holds the namespace open, where the pin is gone */
  netnsHint?: string | undefined;
}

/** Detaches one interface. Never throws for what a plugin does: what could not be undone becomes a debt, durable in the
 *  same commit that ends the attachment. Returns whether it is done. */
export async function detach(deps: Dependencies, attachment: Attachment, options: DetachOptions): Promise<boolean> {
  const { store, trace, clock, log } = deps;
  const { vmid, ifname, network, containerId, result } = attachment;
  return trace(
    'step:detach',
    async () => {
      // relaxed: after a power cut the attachment is one of an earlier boot, which is detached whatever its phase
      const removing: Attachment = { ...attachment, phase: 'removing', since: clock() };
      await trace('journal:removing', async () => store.relaxed(() => store.attachments.put(removing)));
      const request = await reachable(deps, attachment.request, options.netnsHint);
      const mayClose = options.gated && adopts(request.conflist);
      // while its row is there nobody opens its gate
      const leave = () => {
        if (mayClose) store.attachments.put({ ...removing, phase: 'waiting', result: null, addresses: [], error: null });
        else store.attachments.remove(vmid, ifname);
      };
      try {
        if (mayClose) await deps.datapath.gate.close(attachment.hostInterface);
        // behind its gate nothing was added yet
        if (attachment.phase !== 'waiting') await downUnlessQuick(deps, request, () => del(deps, request, options.timeoutMs));
        await giveBack(deps, attachment, mayClose ? 'gated' : 'open');
        await trace('journal:absent', async () => store.relaxed(leave));
        return true;
      } catch (thrown) {
        const reason = errorRecord(asPveCniError(thrown));
        log.warn({ vmid, ifname, network, containerId, reason }, 'clean-up failed; it is a debt now');
        store.transaction(() => {
          store.debts.add({
            vmid,
            ifname,
            network,
            containerId,
            request,
            result,
            reason,
            attempts: 1,
            since: clock(),
            nextTryAt: clock() + nextTryAfterMs(1),
          });
          leave();
        });
        return false;
      }
    },
    { vmid, ifname, network },
  );
}

/** Tries an undone clean-up again. Returns whether it is done now. */
export async function payDebt(deps: Dependencies, debt: Debt): Promise<boolean> {
  const { store, trace, clock, settings, host } = deps;
  return trace(
    'step:debt',
    async () => {
      const timeoutMs = settings.timeouts.pluginSeconds * 1000;
      try {
        await del(deps, await reachable(deps, debt.request), timeoutMs);
        const [made] = debt.request.previous?.interfaces ?? [];
        const waits = store.attachments.get(debt.vmid, debt.ifname) !== null;
        if (made) await giveBack(deps, { request: debt.request, hostInterface: made.name }, waits ? 'gated' : 'open');
      } catch (thrown) {
        const attempts = debt.attempts + 1;
        store.debts.put({ ...debt, attempts, reason: errorRecord(asPveCniError(thrown)), nextTryAt: clock() + nextTryAfterMs(attempts) });
        return false;
      }
      store.debts.remove(debt.id);
      const pin = debtPin(deps, debt.containerId);
      if (!store.debts.list().some((other) => other.containerId === debt.containerId)) await host.netns.unpin(pin);
      return true;
    },
    { vmid: debt.vmid, ifname: debt.ifname, network: debt.network },
  );
}

/** Before an interface is made in a namespace: what is owed there is done first. Done later, it would undo what was made since.
 *  @throws CNIError with the reason of the debt when it cannot be done */
export async function payBefore(deps: Dependencies, vmid: number, initPid: number): Promise<void> {
  const { store, host } = deps;
  const owed = store.debts.list().filter((debt) => debt.vmid === vmid);
  if (owed.length === 0) return;
  const namespace = await host.namespaceOf(initPid, 'net');
  for (const debt of owed) {
    if ((await host.netns.inode(debt.request.netns)) !== namespace || (await payDebt(deps, debt))) continue;
    const reason = store.debts.list().find(({ id }) => id === debt.id)?.reason ?? debt.reason;
    const message = `cannot attach to container ${vmid}: an earlier ${debt.ifname} of it must be cleaned up first, and cannot be: ${reason.message}`;
    throw failure(reason.code in errorCodes ? (reason.code as ErrorCode) : 'INTERNAL', message, { vmid, ifname: debt.ifname });
  }
}

async function del(deps: Dependencies, request: CniAttachment, timeoutMs: number): Promise<void> {
  const { runtime, cilium } = deps;
  const run = () => runtime.del(request, { signal: AbortSignal.timeout(timeoutMs), pluginTimeoutMs: timeoutMs });
  await (usesCilium(request.conflist) ? cilium.del(request, run) : run());
}

/** An interface that others made is theirs again: up, as they made it, which Cilium ends by setting it down, and open. */
async function giveBack(
  { host, datapath }: Dependencies,
  { request, hostInterface }: Pick<Attachment, 'request' | 'hostInterface'>,
  how: 'open' | 'gated' = 'open',
): Promise<void> {
  if (!adopts(request.conflist)) return;
  const link = await host.readLink(hostInterface);
  if (link && !link.up) await host.ip.batch([`link set dev ${hostInterface} up`]);
  if (how === 'open') await datapath.gate.open(hostInterface);
}

/** Where the namespace of a life that has debts is kept once `ctVMID` names another, or nothing. */
export function debtPin({ settings }: Dependencies, containerId: string): string {
  return `${settings.runDir}/netns/${containerId}`;
}

/** The request with a namespace that can be entered, or with none: a plugin is never given a path that leads nowhere. */
async function reachable({ host }: Dependencies, request: CniAttachment, hint?: string): Promise<CniAttachment> {
  if (request.netns && (await host.netns.inode(request.netns)) !== null) return request;
  if (hint && (await host.isNetns(hint))) return { ...request, netns: hint };
  return { ...request, netns: '' };
}

/** A DEL takes the link away itself. One that fails or takes its time must not leave a dead container's pinned namespace
 *  answering ARP: then the link is set down, beside the DEL, and before this ends. */
async function downUnlessQuick(deps: Dependencies, request: CniAttachment, del: () => Promise<void>): Promise<void> {
  let down: Promise<void> | null = null;
  const setDownOnce = () => {
    // an interface that others made and that lives on is not ours to set down
    if (request.netns && !adopts(request.conflist)) down ??= deps.trace('step:down', () => setDown(deps, request));
  };
  const late = setTimeout(setDownOnce, quickMs);
  try {
    await del();
  } catch (error) {
    setDownOnce();
    throw error;
  } finally {
    clearTimeout(late);
    await down;
  }
}

async function setDown({ host, log }: Dependencies, { netns, ifname }: CniAttachment): Promise<void> {
  await host.ip.batch([`link set dev ${ifname} down`], netns).catch((error) => {
    // a chain that failed early never made the link
    log.info({ netns, ifname, error: asPveCniError(error).message }, 'link is not there to be set down');
  });
}
