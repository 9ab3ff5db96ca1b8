import { type Benchmark, figure, inTurn, percentile } from './figures.ts';
import { withSides } from './sides.ts';

const atOnce = 20;

/** Twenty containers start at the same moment: until the last has its network, median of the runs. */
export const attach20: Benchmark = {
  figures: ['attach20.total'],
  run: (runs) =>
    withSides(atOnce, async ({ ours, bare }) => {
      const measured = { ours: [] as number[], bare: [] as number[] };
      await inTurn(
        1 + runs,
        async () => void measured.ours.push((await ours(atOnce)).attach),
        async () => void measured.bare.push((await bare(atOnce)).attach),
      );
      const median = (side: keyof typeof measured) => percentile(measured[side].slice(1), 50);
      return [figure('attach20.total', 'ms', median('ours'), median('bare'), runs)];
    }),
};
