import { asPveCniError, errorRecord } from '../model/errors.ts';
import { addressesOf } from './adopt.ts';
import { attach, wait } from './attach.ts';
import type { Dependencies } from './dependencies.ts';
import type { Operations } from './operations.ts';

/** How long after a try that failed the next one comes, ms: what is inside the container may make all of them fail. */
const retryMs = 5000;

/** Interfaces behind a gate: protected as soon as they have an address and the agent answers. */
export async function attachWaiting(deps: Dependencies, operations: Operations): Promise<void> {
  const { store, cilium, configuration, settings, log } = deps;
  const waiting = store.attachments.brief('waiting');
  if (waiting.length === 0) return;
  // rules are easily flushed: by people, and by firewalls that take all of them for theirs
  const closed = await deps.datapath.gate.closed();
  for (const { vmid, ifname } of waiting) {
    const row = store.attachments.get(vmid, ifname);
    if (row?.phase !== 'waiting' || !row.hostInterface || closed.includes(row.hostInterface)) continue;
    await deps.datapath.gate.close(row.hostInterface);
    // attached in that moment
    if (store.attachments.get(vmid, ifname)?.phase === 'attached') await deps.datapath.gate.open(row.hostInterface);
    log.warn({ vmid, ifname }, 'its gate was open and is closed again');
  }
  const away = await cilium.ready().then(
    () => false,
    () => true,
  );
  if (away) return;
  for (const { vmid, ifname } of waiting) {
    const requester = { door: 'service', user: 'root' } as const;
    const timeoutMs = settings.timeouts.operationSeconds * 1000;
    const request = { kind: 'attach', vmid, requester, priority: 5, lazy: true, timeoutMs } as const;
    await operations
      .run(request, async (context) => {
        const row = store.attachments.get(vmid, ifname);
        const life = store.lives.get(vmid);
        const wanted = configuration.current.containers.get(vmid)?.interfaces.find((one) => one.name === ifname);
        if (row?.phase !== 'waiting' || !life || !wanted) return;
        if (row.error && deps.clock() - row.since < retryMs) return;
        const link = (await deps.host.ip.addresses(life.netnsPath)).find((one) => one.ifname === ifname);
        if (!link || addressesOf(link).length === 0) return;
        context.record();
        try {
          const { addresses, network } = await attach(deps, life, wanted, context.signal);
          context.say(`container ${vmid}: ${ifname} ${addresses.join(' ')} on ${network}`);
        } catch (thrown) {
          wait(deps, { ...row, phase: 'adding' }, asPveCniError(thrown));
          throw thrown;
        }
      })
      .catch((error) => log.warn({ vmid, ifname, error: errorRecord(asPveCniError(error)) }, 'an interface still waits behind its gate'));
  }
}
