import { asPveCniError, errorRecord } from '../model/errors.ts';
import { addressesOf } from './adopt.ts';
import { attach, wait } from './attach.ts';
import type { Dependencies } from './dependencies.ts';
import type { Operations } from './operations.ts';

/** Interfaces behind a gate: protected as soon as they have an address and the agent answers. */
export async function attachWaiting(deps: Dependencies, operations: Operations): Promise<void> {
  const { store, cilium, configuration, settings, log } = deps;
  const waiting = store.attachments.brief().filter(({ phase }) => phase === 'waiting');
  if (waiting.length === 0) return;
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
