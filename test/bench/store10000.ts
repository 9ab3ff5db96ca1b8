import { type Benchmark, figure, inTurn, percentile } from './figures.ts';
import { createSeeded } from './seeded.ts';
import { attachAndDetach } from './sides.ts';

/** A start on a node with 10,000 containers against one on a node with 10: `bare` is the small one. The network's addresses
 *  are ours, so that looking for them is part of it. */
export const store10000: Benchmark = {
  figures: ['store10000.attach.p50'],
  async run(runs) {
    const large = await createSeeded(10_000);
    const small = await createSeeded(10);
    try {
      const measured = { large: [] as number[], small: [] as number[] };
      await inTurn(
        5 + runs,
        async () => void measured.large.push((await attachAndDetach(large.daemon, 1)).attach),
        async () => void measured.small.push((await attachAndDetach(small.daemon, 1)).attach),
      );
      const median = (side: keyof typeof measured) => percentile(measured[side].slice(5), 50);
      return [figure('store10000.attach.p50', 'ms', median('large'), median('small'), runs)];
    } finally {
      await large.end();
      await small.end();
    }
  },
};
