import type { OperationBucket } from '../model/panel-api.ts';

/** An operation that has ended. Epoch ms. */
export interface EndedOperation {
  kind: 'attach' | 'detach';
  begin: number;
  end: number;
  failed: boolean;
}

/** How many there were and how long they took, by kind and time; oldest first. What failed counts, and its time does not. */
export function durations(operations: readonly EndedOperation[], bucketSeconds: number): OperationBucket[] {
  const buckets = new Map<string, { time: number; kind: EndedOperation['kind']; failed: number; took: number[] }>();
  for (const { kind, begin, end, failed } of operations) {
    const time = Math.floor(begin / 1000 / bucketSeconds) * bucketSeconds;
    const bucket = buckets.get(`${time} ${kind}`) ?? { time, kind, failed: 0, took: [] };
    if (failed) bucket.failed += 1;
    else bucket.took.push(end - begin);
    buckets.set(`${time} ${kind}`, bucket);
  }
  return [...buckets.values()]
    .sort((one, other) => one.time - other.time || (one.kind < other.kind ? -1 : 1))
    .map(({ time, kind, failed, took }) => {
      took.sort((one, other) => one - other);
      return { time, kind, count: took.length + failed, failed, p50Ms: percentile(took, 50), p99Ms: percentile(took, 99) };
    });
}

/** Nearest rank; 0 of none. */
function percentile(sorted: readonly number[], percent: number): number {
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? 0;
}
