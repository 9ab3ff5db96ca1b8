import type { AttachmentPhase } from '../model/attachment.ts';
import type { InterfaceStatus } from '../model/panel-api.ts';

type Verdict = Pick<InterfaceStatus, 'state' | 'message'>;

/** Everything that decides what an interface's state is called. */
export interface InterfaceFacts {
  /** whether its container's file has it */
  configured: boolean;
  running: boolean;
  /** null: it is not attached */
  attachment: {
    phase: AttachmentPhase;
    /** of the journal */
    error: string | null;
    /** its end on the node; null: it is there, or none is known */
    lostLink: string | null;
  } | null;
  /** why the container's last start, or the last try to attach this one, failed; null: it did not */
  failure: string | null;
}

export function stateOfInterface({ configured, running, attachment, failure }: InterfaceFacts): Verdict {
  if (!attachment) {
    if (failure !== null) return { state: 'failed', message: failure };
    return running ? { state: 'adding', message: null } : { state: 'configured', message: null };
  }
  const { phase, error, lostLink } = attachment;
  if (phase === 'attached') {
    if (!running) return { state: 'removing', message: 'its container has ended' };
    if (!configured) return { state: 'removing', message: 'it is not configured any more' };
    if (lostLink !== null)
      return { state: 'degraded', message: `its end on the node, ${lostLink}, is gone; the next reconcile makes it anew` };
  }
  return { state: phase, message: error ?? reasons[phase] ?? null };
}

const reasons: Partial<Record<AttachmentPhase, string>> = {
  waiting: 'no packet passes until it has an address and its policy is in force',
};
