/** When an undone clean-up is tried again: after 10 s, then twice as long each time, 10 minutes at most. */
export function nextTryAfterMs(attempts: number): number {
  return Math.min(10_000 * 2 ** Math.max(0, attempts - 1), 600_000);
}
