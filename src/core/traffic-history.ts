import type { HistoryPoint, Timeframe } from '../model/panel-api.ts';

/** Rates of many interfaces over time, in rings of a fixed size: 10 s for an hour, 5 minutes for a day. One interface costs 5 KB. All
 *  rings turn together, so that sums are sums of the same moments. */

export const frames: Record<Timeframe, { stepSeconds: number; steps: number }> = {
  hour: { stepSeconds: 10, steps: 360 },
  day: { stepSeconds: 300, steps: 288 },
};
const names = ['hour', 'day'] as const;
/** two rates a step */
const floats = 2 * (frames.hour.steps + frames.day.steps);

export interface Rate {
  rx: number;
  tx: number;
}

/** What outlives the process. `rates`: for each key the hour's ring, then the day's, each step's rx and tx; NaN is unknown. */
export interface SavedHistory {
  last: Record<Timeframe, number>;
  keys: string[];
  rates: Float32Array;
}

export interface TrafficHistory {
  /** What was measured at a time, unix seconds. Times before the last one are left out. */
  add(time: number, rates: ReadonlyMap<string, Rate>): void;
  /** The sum over the interfaces that are chosen; from the first step that is known up to `time`. */
  points(timeframe: Timeframe, time: number, isChosen?: (key: string) => boolean): HistoryPoint[];
  save(): SavedHistory;
  /** Takes over what was saved, unless it is from the future. */
  restore(saved: SavedHistory, time: number): void;
}

interface Series {
  /** both rings, as they are saved */
  rates: Float32Array;
  /** what the day's present step is the mean of */
  day: { rx: number; tx: number; count: number };
}

/** More interfaces than `maxSeries` are not followed. */
export function createTrafficHistory(maxSeries = 4096): TrafficHistory {
  const series = new Map<string, Series>();
  /** number of the last step, counted from 1970 */
  const last: Record<Timeframe, number> = { hour: -1, day: -1 };

  /** Steps that nothing was measured in are unknown; whoever was not seen for a day is forgotten. */
  function turn(timeframe: Timeframe, step: number): void {
    const { steps } = frames[timeframe];
    const first = Math.max(last[timeframe] + 1, step - steps + 1);
    for (const one of series.values()) {
      for (let at = first; at <= step; at += 1) put(one.rates, timeframe, at, Number.NaN, Number.NaN);
      if (timeframe === 'day') one.day = { rx: 0, tx: 0, count: 0 };
    }
    last[timeframe] = step;
    if (timeframe === 'day') for (const [key, { rates }] of series) if (rates.every(Number.isNaN)) series.delete(key);
  }

  function seriesOf(key: string): Series | null {
    const known = series.get(key);
    if (known) return known;
    if (series.size >= maxSeries) return null;
    const made = { rates: new Float32Array(floats).fill(Number.NaN), day: { rx: 0, tx: 0, count: 0 } };
    series.set(key, made);
    return made;
  }

  return {
    add(time, rates) {
      for (const timeframe of names) {
        const step = stepOf(timeframe, time);
        if (step > last[timeframe]) turn(timeframe, step);
      }
      if (stepOf('hour', time) < last.hour) return;
      for (const [key, { rx, tx }] of rates) {
        const one = seriesOf(key);
        if (!one) continue;
        put(one.rates, 'hour', last.hour, rx, tx);
        one.day = { rx: one.day.rx + rx, tx: one.day.tx + tx, count: one.day.count + 1 };
        put(one.rates, 'day', last.day, one.day.rx / one.day.count, one.day.tx / one.day.count);
      }
    },
    points(timeframe, time, isChosen = () => true) {
      const { steps, stepSeconds } = frames[timeframe];
      const chosen = [...series].flatMap(([key, { rates }]) => (isChosen(key) ? [rates] : []));
      const points: HistoryPoint[] = [];
      for (let step = stepOf(timeframe, time) - steps + 1; step <= last[timeframe]; step += 1) {
        const at = placeOf(timeframe, step);
        let [rxRate, txRate, known] = [0, 0, false];
        // a ring that has not turned since holds what is older than its length
        for (const rates of step > last[timeframe] - steps ? chosen : []) {
          const [rx = Number.NaN, tx = Number.NaN] = [rates[at], rates[at + 1]];
          if (Number.isNaN(rx)) continue;
          [rxRate, txRate, known] = [rxRate + rx, txRate + tx, true];
        }
        if (known) points.push({ time: step * stepSeconds, rxRate, txRate });
        else if (points.length > 0) points.push({ time: step * stepSeconds, rxRate: null, txRate: null });
      }
      return points;
    },
    save() {
      const rates = new Float32Array(series.size * floats);
      [...series.values()].forEach((one, index) => {
        rates.set(one.rates, index * floats);
      });
      return { last: { ...last }, keys: [...series.keys()], rates };
    },
    restore(saved, time) {
      if (saved.rates.length !== saved.keys.length * floats || saved.keys.length > maxSeries) return;
      if (names.some((timeframe) => saved.last[timeframe] > stepOf(timeframe, time))) return;
      Object.assign(last, saved.last);
      for (const [index, key] of saved.keys.entries())
        series.set(key, { rates: saved.rates.slice(index * floats, (index + 1) * floats), day: { rx: 0, tx: 0, count: 0 } });
    },
  };
}

function stepOf(timeframe: Timeframe, time: number): number {
  return Math.floor(time / frames[timeframe].stepSeconds);
}

function placeOf(timeframe: Timeframe, step: number): number {
  const { steps } = frames[timeframe];
  // steps before 1970 are asked for by clocks that are not set
  return 2 * ((((step % steps) + steps) % steps) + (timeframe === 'day' ? frames.hour.steps : 0));
}

function put(rates: Float32Array, timeframe: Timeframe, step: number, rx: number, tx: number): void {
  const at = placeOf(timeframe, step);
  rates[at] = rx;
  rates[at + 1] = tx;
}
