import type { ErrorRecord } from './errors.ts';

export const operationKinds = [
  'prepare',
  'attach',
  'verify',
  'detach',
  'check',
  'reconcile',
  'gc',
  'configure',
  'reload',
  'relabel',
  'install',
  'upgrade',
  'uninstall',
  'rotate-key',
  'policy',
  'setup',
] as const;
export type OperationKind = (typeof operationKinds)[number];

/** `interrupted`: the service died in the middle; closed by the next start of the service. */
export const operationOutcomes = ['ok', 'failed', 'refused', 'cancelled', 'interrupted'] as const;
export type OperationOutcome = (typeof operationOutcomes)[number];

/** Who asked: a hook, the command, Proxmox's API, or the service itself. */
export interface Requester {
  door: 'lxc-hook' | 'hookscript' | 'cli' | 'api' | 'service';
  /** user as the door names it: root, root@pam, ci@pve!token */
  user: string;
  upid?: string;
  /** W3C trace context that came in */
  traceparent?: string;
}

/** A piece of an operation's time: the hook, the queue, a plugin, a tool. */
export interface Span {
  id: string;
  parent: string | null;
  /** e.g. `step:add`, `plugin:bridge:ADD`, `tool:ip` */
  name: string;
  /** epoch ms with fraction */
  start: number;
  durationMs: number;
  error?: string;
  facts?: Record<string, string | number>;
}

/** One row of the audit log. */
export interface Operation {
  id: string;
  kind: OperationKind;
  vmid: number | null;
  network: string | null;
  requester: Requester;
  /** W3C trace id, 32 hex digits */
  traceId: string;
  /** epoch ms */
  begin: number;
  /** null while it runs */
  end: number | null;
  outcome: OperationOutcome | null;
  message: string;
  error: ErrorRecord | null;
  /** configuration changes: the text before and after */
  before: string | null;
  after: string | null;
  spans: Span[];
}

/** Runs `work` as a span of the operation in progress (found by async context) and returns what it returns.
 *  Outside any operation it only runs `work`. */
export type Trace = <T>(name: string, work: () => Promise<T>, facts?: Record<string, string | number>) => Promise<T>;
