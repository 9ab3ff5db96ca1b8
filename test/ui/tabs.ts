import assert from 'node:assert/strict';
import type { Locator, Page } from 'playwright-core';
import { until } from '../support/until.ts';
import type { OpenOptions, Panels, View } from './browser.ts';

/** What tests of the node's and the datacenter's tab do with a page. Everything waits for what it wants to see: machines may be slow. */
export interface Tabs {
  page: Page;
  view: View;
  /** brings a tab of ours to the front */
  tab(title: string): Promise<void>;
  /** rows of a grid that can be seen, cell texts joined by ` | `; the grid is named by its xtype or itemId */
  rows(grid: string): Promise<string[]>;
  /** waits for a row of the grid with all of these in it; gives its text */
  row(grid: string, ...parts: (string | RegExp)[]): Promise<string>;
  /** waits until no row has it */
  noRow(grid: string, part: string): Promise<void>;
  select(text: string): Promise<void>;
  button(text: string): Locator;
  /** the foremost window */
  window(): Locator;
  /** waits for text anywhere that can be seen */
  text(text: string | RegExp): Promise<void>;
  fill(field: Locator, text: string): Promise<void>;
  /** replaces what stands in the editor of the foremost window */
  write(text: string): Promise<void>;
  /** the state of a box of the picture, by the beginning of its key; null: it is not drawn */
  box(key: string): Promise<string | null>;
  /** waits until nothing is masked by `Loading` or by a failure */
  unmasked(): Promise<void>;
  /** into .cache/ui, light and dark */
  shots(name: string): Promise<void>;
}

const seconds = 40;
/** Nobody waits five seconds for the next look where a test does. */
const hurry = () => {
  // biome-ignore lint/suspicious/noExplicitAny: the page's own functions
  const page = globalThis as any;
  for (const name of ['setTimeout', 'setInterval']) {
    const wait = page[name];
    page[name] = (work: () => void, ms = 0) => wait(work, ms >= 2000 ? ms / 8 : ms);
  }
};

/** Opens a page with our tab in front. `answers`: what the service is made to say, by the end of the path below cni/. */
export async function openTabs(panels: Panels, options: OpenOptions, answers: Record<string, unknown> = {}): Promise<Tabs> {
  const view = await panels.open({
    ...options,
    prepare: async (page) => {
      await page.addInitScript(hurry);
      for (const [name, data] of Object.entries(answers))
        await page.route(new RegExp(`/cni/${name}(\\?|$)`), (route) => route.fulfill({ json: { data, success: 1 } }));
    },
  });
  await view.page.locator('.x-tab:visible').first().waitFor();
  return tabsOf(view);
}

function tabsOf(view: View): Tabs {
  const { page } = view;
  page.setDefaultTimeout(seconds * 1000);
  const tabs: Tabs = {
    page,
    view,
    tab: (title) => page.locator('.x-tab:visible', { hasText: title }).first().click(),
    rows: (grid) =>
      page.evaluate((query) => {
        // biome-ignore lint/suspicious/noExplicitAny: ExtJS has no types here
        const found = (globalThis as any).Ext.ComponentQuery.query(query).find((one: any) => one.isVisible(true));
        if (!found) return [];
        return [...found.el.dom.querySelectorAll('.x-grid-row')].map((row) =>
          [...row.querySelectorAll('.x-grid-cell')].map((cell) => cell.textContent.trim()).join(' | '),
        );
      }, grid),
    async row(grid, ...parts) {
      let seen: string[] = [];
      const has = (row: string, part: string | RegExp) => (typeof part === 'string' ? row.includes(part) : part.test(row));
      return until(
        `${grid} has a row with ${parts.join(', ')}`,
        async () => {
          seen = await tabs.rows(grid);
          return seen.find((row) => parts.every((part) => has(row, part)));
        },
        seconds,
      ).catch((error) => assert.fail(`${error.message}; rows:\n${seen.join('\n')}`));
    },
    async noRow(grid, part) {
      await until(`${grid} has no row with ${part}`, async () => !(await tabs.rows(grid)).some((row) => row.includes(part)), seconds);
    },
    select: (text) => page.locator('.x-grid-row:visible', { hasText: text }).first().click(),
    button: (text) =>
      page
        .locator('.x-btn:visible')
        .filter({ hasText: new RegExp(`^\\s*${text}\\s*$`) })
        .last(),
    window: () => page.locator('.x-window:visible').last(),
    text: async (text) => {
      await page.getByText(text).filter({ visible: true }).first().waitFor();
    },
    write: (text) => tabs.fill(tabs.window().locator('textarea'), text),
    async fill(field, text) {
      // ExtJS may still be setting the field's first value
      await until(
        `${field} holds what is written`,
        async () => {
          await field.fill(text);
          return (await field.inputValue()) === text;
        },
        seconds,
      );
    },
    async box(key) {
      const boxes = page.locator(`.pve-cni-topology [data-key^="${key}"]`);
      return (await boxes.count()) === 0 ? null : boxes.first().getAttribute('data-state');
    },
    unmasked: async () => {
      await until('nothing is masked', async () => (await page.locator('.x-mask-msg:visible').count()) === 0, seconds).catch(
        async (error) => {
          await view.shot('failed-masked');
          throw new Error(`${error.message}: ${await page.locator('.x-mask-msg:visible').allInnerTexts()}`);
        },
      );
    },
    async shots(name) {
      await view.shot(`${name}-light`);
      await page.emulateMedia({ colorScheme: 'dark' });
      await view.shot(`${name}-dark`);
      await page.emulateMedia({ colorScheme: 'light' });
    },
  };
  return tabs;
}
