/** One measured thing: ours beside the bare one, both of the same run. */
export interface Figure {
  name: string;
  ours: number;
  bare: number;
  /** ours / bare */
  ratio: number;
  unit: 'ms' | 'MB';
  /** runs of each side */
  n: number;
}

export interface Benchmark {
  /** why it cannot be run here; null: it can */
  missing?(): string | null;
  /** figures that one run of it gives */
  figures: readonly string[];
  /** `runs`: how often each side is measured */
  run(runs: number): Promise<Figure[]>;
}

export function figure(name: string, unit: Figure['unit'], ours: number, bare: number, n: number): Figure {
  const round = (value: number) => Number(value.toFixed(3));
  return { name, ours: round(ours), bare: round(bare), ratio: round(ours / bare), unit, n };
}

/** Nearest-rank percentile: one of the values. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}

/** Milliseconds that `work` takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}

/** Runs both sides in turn, which of them first alternates, so that whatever else the machine does meets both alike. */
export async function inTurn(runs: number, one: (run: number) => Promise<void>, other: (run: number) => Promise<void>): Promise<void> {
  for (let run = 0; run < runs; run += 1) {
    const [first, second] = run % 2 === 0 ? [one, other] : [other, one];
    await first(run);
    await second(run);
  }
}
