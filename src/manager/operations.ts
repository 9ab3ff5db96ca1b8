import { randomUUID } from 'node:crypto';
import { Mutex } from 'async-mutex';
import PQueue from 'p-queue';
import { asPveCniError, errorRecord, failure, PveCniError } from '../model/errors.ts';
import type { Operation, OperationKind, OperationOutcome, Requester } from '../model/operation.ts';
import { runInTrace, traceIdFrom } from '../observe/tracing.ts';
import { type Deadline, startDeadline } from './deadline.ts';
import type { Dependencies } from './dependencies.ts';

export interface OperationRequest {
  kind: OperationKind;
  vmid: number | null;
  network?: string;
  requester: Requester;
  /** aborts when the asking client goes away */
  signal?: AbortSignal;
  /** from the asking to the end, waiting included */
  timeoutMs: number;
  /** higher goes first: hooks before people before the reconcile */
  priority: number;
  /** true: no row in the audit log until `record` is called; for looks that mostly find nothing to do */
  lazy?: boolean;
  /** true: the row's begin does not wait for the disk. For work whose own first commit comes before anything that
   *  outlives a power cut */
  relaxed?: boolean;
}

/** What the work of an operation is given. */
export interface OperationContext {
  id: string;
  signal: AbortSignal;
  /** Begins the row of a lazy operation; harmless for others. */
  record(): void;
  /** One sentence for people, kept in the audit log. */
  say(message: string): void;
  /** A change of configuration: its text before and after. */
  changed(before: string | null, after: string | null): void;
}

export interface Operations {
  /** Runs `work` as an operation: alone for its container, beside others up to a bound, with a row in the audit log that
   *  begins before and ends after it, traced, with a deadline. Never call it from inside another operation of the same
   *  container: it would wait for itself. @throws PveCniError */
  run<T>(request: OperationRequest, work: (context: OperationContext) => Promise<T>): Promise<T>;
  /** how many run or wait */
  pending(): number;
  /** Lets nothing new in. */
  close(): void;
  /** Waits until nothing runs, at most this long; then aborts what is left and waits for its undoing. */
  drain(graceMs: number): Promise<void>;
}

export function createOperations({ store, clock, log, onOperation, trace, settings }: Dependencies): Operations {
  const locks = new Map<number, Mutex>();
  const queue = new PQueue({ concurrency: settings.parallel });
  const deadlines = new Set<Deadline>();
  const waiting = new Set<Promise<unknown>>();
  let closed = false;

  function lockOf(vmid: number): Mutex {
    const lock = locks.get(vmid) ?? new Mutex();
    locks.set(vmid, lock);
    return lock;
  }

  async function run<T>(request: OperationRequest, work: (context: OperationContext) => Promise<T>): Promise<T> {
    if (closed) throw failure('SERVICE_STOPPING', `cannot ${request.kind}: the service is stopping; try again in a moment`);
    const deadline = startDeadline(request.timeoutMs, request.signal);
    const { signal } = deadline;
    deadlines.add(deadline);
    const operation = newOperation(request, clock());
    let recorded = false;
    const record = () => {
      if (recorded) return;
      if (request.relaxed) store.relaxed(() => store.operations.begin(operation));
      else store.operations.begin(operation);
      recorded = true;
    };
    const context: OperationContext = {
      id: operation.id,
      signal,
      record,
      say: (message) => {
        operation.message = message;
      },
      changed: (before, after) => {
        operation.before = before;
        operation.after = after;
      },
    };
    const end = (outcome: OperationOutcome, error: PveCniError | null) => {
      if (!recorded) return;
      Object.assign(operation, { end: clock(), outcome, error: error && errorRecord(error), ...(error && { message: error.message }) });
      store.operations.end(operation);
      onOperation(operation);
    };
    const traced = { operationId: operation.id, kind: operation.kind, traceId: operation.traceId, spans: operation.spans, current: null };
    return runInTrace(traced, async () => {
      try {
        const result = await inTurn(request, async () => {
          signal.throwIfAborted();
          if (!request.lazy) record();
          return work(context);
        });
        end('ok', null);
        return result;
      } catch (thrown) {
        const error = deadline.passed() ? timedOut(request, thrown) : signal.aborted ? cancelled(request, thrown) : asPveCniError(thrown);
        if (error.code === 'INTERNAL') log.error({ err: error.cause ?? error, kind: request.kind, vmid: request.vmid }, error.message);
        else log.warn({ code: error.code, kind: request.kind, vmid: request.vmid }, error.message);
        if (!request.lazy) tryTo(record);
        tryTo(() => end(signal.aborted ? 'cancelled' : refuses(request.kind) ? 'refused' : 'failed', error));
        throw error;
      } finally {
        deadline.end();
        deadlines.delete(deadline);
      }
    });
  }

  /** The lock first, then a place among those that run: who waits for a lock takes nobody's place. */
  async function inTurn<T>(request: OperationRequest, work: () => Promise<T>): Promise<T> {
    let begin = () => {};
    const turn = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const queued = trace('queue', () => turn);
    const place = () =>
      queue.add(
        () => {
          begin();
          return queued.then(work);
        },
        { priority: request.priority },
      ) as Promise<T>;
    return request.vmid === null ? place() : lockOf(request.vmid).runExclusive(place);
  }

  /** A full disk must not hide the error that is being reported. */
  function tryTo(action: () => void): void {
    try {
      action();
    } catch (error) {
      log.error({ err: error }, 'cannot write the audit log');
    }
  }

  return {
    run(request, work) {
      const promise = run(request, work);
      const settled = promise.then(
        () => {},
        () => {},
      );
      waiting.add(settled);
      settled.finally(() => waiting.delete(settled));
      return promise;
    },
    pending: () => waiting.size,
    close() {
      closed = true;
    },
    async drain(graceMs) {
      const timer = setTimeout(() => {
        for (const deadline of deadlines) deadline.abort();
      }, graceMs);
      while (waiting.size > 0) await Promise.all(waiting);
      clearTimeout(timer);
    },
  };
}

function newOperation(request: OperationRequest, begin: number): Operation {
  return {
    id: randomUUID(),
    kind: request.kind,
    vmid: request.vmid,
    network: request.network ?? null,
    requester: request.requester,
    traceId: traceIdFrom(request.requester.traceparent),
    begin,
    end: null,
    outcome: null,
    message: '',
    error: null,
    before: null,
    after: null,
    spans: [],
  };
}

/** Operations whose failure keeps a container from starting, or a change from being made. */
function refuses(kind: OperationKind): boolean {
  return kind === 'prepare' || kind === 'attach' || kind === 'configure';
}

function timedOut(request: OperationRequest, thrown: unknown): PveCniError {
  const last = thrown instanceof PveCniError ? `; last: ${thrown.message}` : '';
  const context = thrown instanceof PveCniError ? thrown.context : {};
  return failure(
    'OPERATION_TIMEOUT',
    `${request.kind}${about(request)} did not end within ${request.timeoutMs / 1000} s and was undone${last}`,
    context,
    thrown,
  );
}

function cancelled(request: OperationRequest, thrown: unknown): PveCniError {
  if (thrown instanceof PveCniError && thrown.code === 'CNI_CANCELLED') return thrown;
  return failure('CNI_CANCELLED', `${request.kind}${about(request)} was given up by who asked for it, and undone`, {}, thrown);
}

function about({ vmid }: OperationRequest): string {
  return vmid === null ? '' : ` of container ${vmid}`;
}
