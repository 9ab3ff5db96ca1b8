import type { Operation } from '../model/operation.ts';
import { otlpRequest } from './otlp-request.ts';

export interface OtlpOptions {
  /** URL of the collector; `/v1/traces` is added when it names no path */
  endpoint: string;
  version: string;
  node: string;
  /** told once for each batch (or overflow) that is given up: how many operations, and why */
  onDrop?: (operations: number, reason: string) => void;
  /** operations that wait at most; the oldest go first */
  queueLimit?: number;
  batchLimit?: number;
  /** how long operations are gathered before they are sent, and the first pause after a failure (it doubles, to 30 s) */
  delayMs?: number;
  timeoutMs?: number;
}

export interface OtlpExporter {
  /** Takes an ended operation. Never waits, never throws. */
  export(operation: Operation): void;
  /** operations that were given up so far */
  readonly dropped: number;
  /** Sends what waits, once, within twice the timeout, and ends. */
  stop(): Promise<void>;
}

/** Answers after which the OTLP specification (1.x, "OTLP/HTTP Response", "Retryable Response Codes") allows another try. */
const retryable = new Set([429, 502, 503, 504]);

/** Exports ended operations with their spans as OTLP/HTTP in JSON. Tracing is a convenience: when the collector is slow
 *  or gone, operations are dropped and counted, and nothing else notices. */
export function createOtlpExporter(options: OtlpOptions): OtlpExporter {
  const { queueLimit = 512, batchLimit = 64, delayMs = 1000, timeoutMs = 5000, onDrop = () => {} } = options;
  const url = tracesUrl(options.endpoint);
  let queue: Operation[] = [];
  let dropped = 0;
  let pauseMs = delayMs;
  let timer: NodeJS.Timeout | undefined;
  let sending: Promise<void> | undefined;
  let stopped = false;

  const drop = (operations: number, reason: string) => {
    if (operations === 0) return;
    dropped += operations;
    onDrop(operations, reason);
  };
  const trim = () => {
    const excess = Math.max(0, queue.length - queueLimit);
    queue = queue.slice(excess);
    drop(excess, 'the queue is full');
  };
  const schedule = () => {
    if (stopped || timer || sending || queue.length === 0) return;
    timer = setTimeout(() => {
      timer = undefined;
      void send();
    }, pauseMs);
    timer.unref();
  };
  const send = () => {
    const batch = queue.splice(0, batchLimit);
    sending = post(url, () => otlpRequest(batch, options), timeoutMs).then((answer) => {
      sending = undefined;
      pauseMs = answer.ok ? delayMs : Math.min(pauseMs * 2, 30_000);
      if (!answer.ok && answer.again && !stopped) {
        queue.unshift(...batch);
        trim();
      } else if (!answer.ok) drop(batch.length, answer.reason);
      schedule();
    });
    return sending;
  };

  return {
    export(operation) {
      if (stopped) return drop(1, 'the service is stopping');
      queue.push(operation);
      trim();
      schedule();
    },
    get dropped() {
      return dropped;
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await sending;
      const droppedBefore = dropped;
      const end = performance.now() + timeoutMs; // the service must not stop slowly because of a slow collector
      while (queue.length > 0 && dropped === droppedBefore && performance.now() < end) await send();
      drop(queue.splice(0).length, 'the service is stopping');
    },
  };
}

type Answer = { ok: true } | { ok: false; again: boolean; reason: string };

async function post(url: string, body: () => unknown, timeoutMs: number): Promise<Answer> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body()),
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
    await response.body?.cancel();
    if (response.ok) return { ok: true };
    return { ok: false, again: retryable.has(response.status), reason: `${url} answered ${response.status}` };
  } catch (error) {
    return { ok: false, again: true, reason: `${url} cannot be reached: ${error instanceof Error ? error.message : error}` };
  }
}

function tracesUrl(endpoint: string): string {
  const url = new URL(endpoint);
  if (url.pathname === '/') url.pathname = '/v1/traces';
  return url.href;
}
