import { type Benchmark, figure, inTurn, percentile, timed } from './figures.ts';
import { get } from './request.ts';
import { firstSeeded } from './seed.ts';
import { createSeeded } from './seeded.ts';

const containers = 951;
const ofFirst = 50;
/** answers of the whole list, each of which is worth twenty of the others */
const lists = 60;

/** What the panel asks: a container's 50 interfaces on a node that has 1,000, and all of them, each beside a request that the service only
 *  refuses. The counters are real ones, of as many links. */
export const apiInterfaces: Benchmark = {
  figures: ['api.interfaces.p99', 'api.interfaces1000.p99'],
  async run(runs) {
    const { daemon, end } = await createSeeded(containers, { first: ofFirst });
    try {
      const own = `/v1/containers/${firstSeeded}/interfaces`;
      const shown: { state: string; traffic: object | null }[] = JSON.parse(await get(daemon.socket, own));
      const good = shown.filter(({ state, traffic }) => state === 'attached' && traffic);
      if (good.length !== ofFirst) throw new Error(`${good.length} of ${ofFirst} interfaces are attached and counted`);
      const measured = { tab: [] as number[], list: [] as number[], bare: [] as number[] };
      const bare = async () => void measured.bare.push(await timed(() => get(daemon.socket, '/v1/nothing', 404)));
      await inTurn(10 + runs, async () => void measured.tab.push(await timed(() => get(daemon.socket, own))), bare);
      await inTurn(lists, async () => void measured.list.push(await timed(() => get(daemon.socket, '/v1/interfaces'))), bare);
      const p99 = (side: keyof typeof measured) => percentile(measured[side].slice(side === 'list' ? 2 : 10), 99);
      return [
        figure('api.interfaces.p99', 'ms', p99('tab'), p99('bare'), runs),
        figure('api.interfaces1000.p99', 'ms', p99('list'), p99('bare'), lists - 2),
      ];
    } finally {
      await end();
    }
  },
};
