import { missingAgent, withCilium } from './cilium-sides.ts';
import { type Benchmark, figure, inTurn, percentile } from './figures.ts';
import { megabytes, serviceMegabytes } from './service-rss.ts';
import type { Times } from './sides.ts';

const atOnce = 20;

/** One container after the other on Cilium: start-host and stop, socket to answer, against cilium-cni bare with the same agent. */
export const ciliumAttach: Benchmark = {
  figures: ['cilium.attach.p50', 'cilium.detach.p50'],
  missing: missingAgent,
  run: (runs) =>
    withCilium(1, async ({ ours, bare }) => {
      const warmUp = 5;
      const measured: { ours: Times[]; bare: Times[] } = { ours: [], bare: [] };
      await inTurn(
        warmUp + runs,
        async () => void measured.ours.push(await ours(1)),
        async () => void measured.bare.push(await bare(1)),
      );
      const median = (side: 'ours' | 'bare', verb: keyof Times) =>
        percentile(
          measured[side].slice(warmUp).map((one) => one[verb]),
          50,
        );
      return (['attach', 'detach'] as const).map((verb) =>
        figure(`cilium.${verb}.p50`, 'ms', median('ours', verb), median('bare', verb), runs),
      );
    }),
};

/** Twenty at the same moment: until the last has its network, median of the runs. */
export const ciliumAttach20: Benchmark = {
  figures: ['cilium.attach20.total'],
  missing: missingAgent,
  run: (runs) =>
    withCilium(atOnce, async ({ ours, bare }) => {
      const measured = { ours: [] as number[], bare: [] as number[] };
      const rounds = Math.max(1, Math.ceil(runs / 5));
      await inTurn(
        1 + rounds,
        async () => void measured.ours.push((await ours(atOnce)).attach),
        async () => void measured.bare.push((await bare(atOnce)).attach),
      );
      const median = (side: keyof typeof measured) => percentile(measured[side].slice(1), 50);
      return [figure('cilium.attach20.total', 'ms', median('ours'), median('bare'), rounds)];
    }),
};

/** Resident memory of the service (both its processes) beside that of the agent (`bare`), after starts and stops. */
export const ciliumRss: Benchmark = {
  figures: ['cilium.rss'],
  missing: missingAgent,
  run: (runs) =>
    withCilium(atOnce, async ({ ours, daemon, lab }) => {
      const samples = { ours: [] as number[], bare: [] as number[] };
      const rounds = Math.max(3, Math.ceil(runs / 20));
      for (let round = 0; round < rounds; round += 1) {
        await ours(atOnce);
        samples.ours.push(serviceMegabytes(daemon.pid()));
        samples.bare.push(megabytes(lab.first.agentPid(), 'VmRSS'));
      }
      return [figure('cilium.rss', 'MB', percentile(samples.ours, 50), percentile(samples.bare, 50), rounds)];
    }),
};
