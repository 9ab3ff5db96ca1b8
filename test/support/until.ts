import { setTimeout as pause } from 'node:timers/promises';

/** Waits until `probe` gives something truthy and returns it; looks every 20 ms.
 *  @throws when `seconds` are over, naming `what` was waited for. */
export async function until<T>(what: string, probe: () => Promise<T> | T, seconds = 15): Promise<NonNullable<T>> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (performance.now() > end) throw new Error(`waited ${seconds} s in vain: ${what}`);
    await pause(20);
  }
}
