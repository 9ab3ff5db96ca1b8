import { type Benchmark, figure, inTurn, percentile } from './figures.ts';
import { type Times, withSides } from './sides.ts';

/** One container after the other: start-host and stop, socket to answer, against the same chain run bare. */
export const attachDetach: Benchmark = {
  figures: ['attach.p50', 'attach.p99', 'detach.p50'],
  run: (runs) =>
    withSides(1, async ({ ours, bare }) => {
      const warmUp = 5;
      const measured: { ours: Times[]; bare: Times[] } = { ours: [], bare: [] };
      await inTurn(
        warmUp + runs,
        async () => void measured.ours.push(await ours(1)),
        async () => void measured.bare.push(await bare(1)),
      );
      const at = (side: 'ours' | 'bare', verb: keyof Times, percent: number) =>
        percentile(
          measured[side].slice(warmUp).map((times) => times[verb]),
          percent,
        );
      return (
        [
          ['attach', 50],
          ['attach', 99],
          ['detach', 50],
        ] as const
      ).map(([verb, percent]) => figure(`${verb}.p${percent}`, 'ms', at('ours', verb, percent), at('bare', verb, percent), runs));
    }),
};
