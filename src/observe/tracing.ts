import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash, randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { Span, Trace } from '../model/operation.ts';

/** What the operation in progress collects. */
export interface TraceContext {
  operationId: string;
  /** what kind of operation it is */
  kind?: string;
  traceId: string;
  spans: Span[];
  /** span that new ones become children of */
  current: string | null;
}

const storage = new AsyncLocalStorage<TraceContext>();

/** Called at both ends of every span; a test's fault injection hangs here, nothing else. */
export type SpanListener = (name: string, edge: 'begin' | 'end', kind?: string) => void;

/** The operation that the calling code works for, or undefined. */
export function currentTrace(): TraceContext | undefined {
  return storage.getStore();
}

/** Runs `work` as the operation `context`: every span inside is collected in `context.spans`. */
export function runInTrace<T>(context: TraceContext, work: () => Promise<T>): Promise<T> {
  return storage.run(context, work);
}

/** Runs `work` as nobody's operation: what it begins in the background is not part of the one that caused it. */
export function outsideTrace<T>(work: () => T): T {
  return storage.exit(work);
}

/** W3C traceparent of the calling code, for children and plugins. */
export function traceparent(): string | undefined {
  const context = storage.getStore();
  return context && `00-${context.traceId}-${context.current ?? rootSpanId(context.operationId)}-01`;
}

/** Span id of an operation as a whole. Not taken from the trace id: several operations may share one (a start's hooks). */
export function rootSpanId(operationId: string): string {
  return createHash('sha256').update(operationId).digest('hex').slice(0, 16);
}

/** Trace id of an incoming W3C traceparent header, or a new one. */
export function traceIdFrom(header: string | undefined): string {
  const match = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(header ?? '');
  return match?.[1] && !/^0+$/.test(match[1]) ? match[1] : randomBytes(16).toString('hex');
}

/** Epoch ms with fraction, steady within a process. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

export function createTrace(listener: SpanListener = () => {}): Trace {
  return async (name, work, facts) => {
    const context = storage.getStore();
    if (!context) return work();
    const span: Span = {
      id: randomBytes(8).toString('hex'),
      parent: context.current,
      name,
      start: now(),
      durationMs: 0,
      ...(facts && { facts }),
    };
    context.spans.push(span);
    listener(name, 'begin', context.kind);
    try {
      return await storage.run({ ...context, current: span.id }, work);
    } catch (error) {
      span.error = error instanceof Error ? error.message : String(error);
      throw error;
    } finally {
      span.durationMs = now() - span.start;
      listener(name, 'end', context.kind);
    }
  };
}
