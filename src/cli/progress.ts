import type { OperationView } from '../model/api.ts';
import type { Context } from './context.ts';
import { duration } from './output.ts';

const everyMs = 2000;

/** Does the work, and says every time something else is waited for what that is, from 2 s on. */
export async function showWaiting<T>(context: Context, { vmid }: { vmid?: number }, work: () => Promise<T>): Promise<T> {
  if (context.json) return work();
  const begin = Date.now();
  let said = '';
  let done = false;
  const timer = setInterval(async () => {
    const running = await runningOperation(context, vmid).catch(() => null);
    const what = running
      ? `${running.kind}${running.vmid === null ? '' : ` of container ${running.vmid}`} (operation ${running.id})`
      : 'the service';
    if (what !== said && !done) context.note(`waiting for ${what}, ${duration(Date.now() - begin)} so far`);
    said = what;
  }, everyMs);
  try {
    return await work();
  } finally {
    done = true;
    clearInterval(timer);
  }
}

async function runningOperation({ api }: Context, vmid: number | undefined): Promise<OperationView | null> {
  const newest = await api.get<OperationView[]>('/v1/operations', { vmid, limit: 10 });
  return newest.find(({ end }) => end === null) ?? null;
}
