/** A signal that aborts at a deadline, with another signal, or when it is told to. */
export interface Deadline {
  signal: AbortSignal;
  /** whether it was the time that ran out */
  passed(): boolean;
  abort(): void;
  /** Lets go of timer and other signal. */
  end(): void;
}

/** Not AbortSignal.any: in Node 20 a source that lives long keeps an entry for each signal that ever followed it. */
export function startDeadline(timeoutMs: number, other?: AbortSignal): Deadline {
  const controller = new AbortController();
  let passed = false;
  const abort = () => controller.abort();
  const timer = setTimeout(() => {
    passed = !controller.signal.aborted;
    abort();
  }, timeoutMs);
  other?.addEventListener('abort', abort, { once: true });
  if (other?.aborted) abort();
  return {
    signal: controller.signal,
    passed: () => passed,
    abort,
    end() {
      clearTimeout(timer);
      other?.removeEventListener('abort', abort);
    },
  };
}
