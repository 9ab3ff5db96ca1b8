import { missingForPanels, startPanels } from '../ui/browser.ts';
import { type Benchmark, figure, percentile } from './figures.ts';
import { firstSeeded } from './seed.ts';
import { createSeeded } from './seeded.ts';

const containers = 951;
const ofFirst = 50;
const opened = 15;

/** In a page of Proxmox's, from the choice of the tab to the frame in which its rows can be seen; beside it the bare request, by the page. */
const timing = (grid: string, rows: number, url: string) => `(async () => {
  const bareBegin = performance.now();
  await (await fetch('/api2/json${url}')).text();
  const bare = performance.now() - bareBegin;
  const begin = performance.now();
  Ext.ComponentQuery.query('pvePanelConfig, [savedItems]')[0].selectById('cni');
  Ext.ComponentQuery.query('pveCniNode')[0]?.setActiveTab('interfaces');
  for (;;) {
    await new Promise(requestAnimationFrame);
    const [one] = Ext.ComponentQuery.query('${grid}');
    if (one && one.store.getCount() >= ${rows} && one.view.el.dom.querySelector('tr.x-grid-row')) break;
    if (performance.now() - begin > 30000) throw new Error('the rows do not come');
  }
  return [performance.now() - begin, bare];
})()`;

/** What a user waits for: the first look at a container with 50 interfaces, and at a node with 1,000; each in a fresh page. */
export const panelTabs: Benchmark = {
  missing: missingForPanels,
  figures: ['ui.tab50', 'ui.page1000'],
  async run(runs) {
    const { daemon, end } = await createSeeded(containers, { first: ofFirst });
    const panels = await startPanels(daemon.socket);
    const count = Math.min(runs, opened);
    try {
      const measure = async (at: string, grid: string, rows: number, url: string) => {
        const sides: [number, number][] = [];
        for (let run = 0; run < count; run++) {
          const { page } = await panels.open({ at, tab: '' });
          await page.waitForFunction("Ext.ComponentQuery.query('[savedItems]').length > 0");
          sides.push((await page.evaluate(timing(grid, rows, url))) as [number, number]);
          await panels.close();
        }
        const p50 = (side: 0 | 1) =>
          percentile(
            sides.map((one) => one[side]),
            50,
          );
        return [p50(0), p50(1)] as const;
      };
      const tab = `/nodes/pve1/lxc/${firstSeeded}/cni/interfaces`;
      const small = await measure(`lxc/${firstSeeded}`, 'pveCniContainerInterfaces', ofFirst, tab);
      const large = await measure('node/pve1', 'pveCniNodeInterfaces', containers + ofFirst - 1, '/nodes/pve1/cni/interfaces');
      return [figure('ui.tab50', 'ms', ...small, count), figure('ui.page1000', 'ms', ...large, count)];
    } finally {
      await panels.stop();
      await end();
    }
  },
};
