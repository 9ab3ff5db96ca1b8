/** Failures in a row that make a backend of ours down; one success brings it back. */
const failuresUntilDown = 2;
/** After a first failure the next look does not wait for the whole interval, ms. */
const retryMs = 1000;

/** What checks have found of a backend. */
export interface Health {
  up: boolean;
  /** what the last check said; '' while all is well */
  reason: string;
  /** epoch ms since when it is `up` or not */
  since: number;
  failures: number;
  /** epoch ms of the next check */
  nextAt: number;
}

/** A backend that was never checked: it is not one until a first check says so. */
export function unchecked(now: number): Health {
  return { up: false, reason: 'it was not checked yet', since: now, failures: 0, nextAt: now };
}

/** What one more check makes of it. `failure` is null when the check went well. */
export function checked(before: Health, failure: string | null, now: number, intervalMs: number): Health {
  if (failure === null) return { up: true, reason: '', since: before.up ? before.since : now, failures: 0, nextAt: now + intervalMs };
  const failures = before.failures + 1;
  const up = before.up && failures < failuresUntilDown;
  return {
    up,
    reason: failure,
    since: before.up && !up ? now : before.since,
    failures,
    nextAt: now + (up ? Math.min(retryMs, intervalMs) : intervalMs),
  };
}
