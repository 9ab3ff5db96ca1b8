import assert from 'node:assert/strict';
import { existsSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type BrowserContext, chromium, type Page, type Request } from 'playwright-core';
import { ensureBuilt } from '../support/daemon.ts';
import { type Pveproxy, startPveproxy, type Users } from '../support/proxmox/pveproxy.ts';
import { skip } from '../support/skip.ts';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const extjs = here('../../.cache/extjs-6.2.0/build');
/** Git ignores it; CI keeps what is in it. */
const pictures = here('../../.cache/ui');
const executablePath = '/usr/bin/chromium';

/** Where the address bar of Proxmox's web interface keeps the tab of each kind of panel. */
const places = { lxc: 6, node: 1, root: 7 } as const;

export interface OpenOptions {
  user?: string;
  /** `lxc/101`, `node/pve1`, `root` */
  at: string;
  /** what is shown of it; our tab when absent */
  tab?: string;
  dark?: boolean;
  /** what is done with the page before it is loaded */
  prepare?: (page: Page) => Promise<void>;
  width?: number;
  height?: number;
}

/** A page of the web interface, and what it asked for. */
export interface View {
  page: Page;
  /** method and path below /api2/json or extjs, in order */
  requests: string[];
  /** what a page must not have: uncaught exceptions and errors on its console */
  errors: string[];
  /** rows of the grid that this finds, as they can be read: `pveCniContainerInterfaces` */
  rows(xtype: string): Promise<string[]>;
  /** waits until a row is like this and gives it */
  row(xtype: string, pattern: RegExp): Promise<string>;
  button(text: string): ReturnType<Page['locator']>;
  /** text of the window on top; waits for one */
  window(pattern: RegExp): Promise<string>;
  shot(name: string): Promise<void>;
}

export interface Panels {
  readonly proxy: Pveproxy;
  open(options: OpenOptions): Promise<View>;
  allow(users: Users): void;
}

/** Real Chromium before the stand-in of pveproxy with the real bridge and the real panel in it, one for a file of tests. */
export function usePanels(socket: () => string, users: Users = {}): Panels {
  let panels: StartedPanels | undefined;

  before(async function () {
    const missing = missingForPanels();
    if (missing) skip(this, missing);
    panels = await startPanels(socket(), users);
  });
  afterEach(async function () {
    const views = panels?.views ?? [];
    if (this.currentTest?.state === 'failed') for (const [index, view] of views.entries()) await view.shot(`failed-${index}`);
    const errors = views.flatMap((view) => view.errors);
    await panels?.close();
    assert.deepEqual(errors, [], 'no page complains on its console');
  });
  after(() => panels?.stop());

  return {
    get proxy() {
      return (panels as StartedPanels).proxy;
    },
    allow: (list) => (panels as StartedPanels).proxy.allow(list),
    open: (options) => (panels as StartedPanels).open(options),
  };
}

/** Why there can be no panels here; null: there can. */
export function missingForPanels(): string | null {
  if (!existsSync(executablePath)) return 'there is no Chromium';
  return existsSync(extjs) ? null : 'ExtJS is not installed: scripts/setup --test ui';
}

interface StartedPanels extends Panels {
  views: readonly View[];
  /** closes what was opened */
  close(): Promise<void>;
  stop(): Promise<void>;
}

/** The same outside of tests. */
export async function startPanels(socket: string, users: Users = {}): Promise<StartedPanels> {
  ensureBuilt();
  mkdirSync(pictures, { recursive: true });
  const proxy = await startPveproxy({ socket, users, index: support('index.html.tpl'), static: files });
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
  const contexts: BrowserContext[] = [];
  const views: View[] = [];
  return {
    proxy,
    views,
    allow: proxy.allow,
    async open({ user = 'root@pam', at, tab = 'cni', dark = false, prepare, width = 1500, height = 900 }) {
      const base = `http://127.0.0.1:${proxy.port}`;
      const context = await browser.newContext({ colorScheme: dark ? 'dark' : 'light', viewport: { width, height } });
      contexts.push(context);
      await context.addCookies([{ name: 'PVEAuthCookie', value: encodeURIComponent(user), url: base }]);
      const page = await context.newPage();
      page.setDefaultTimeout(30_000);
      const view = viewOf(page);
      views.push(view);
      await prepare?.(page);
      await load(page, `${base}/${hashOf(at, tab)}`, view);
      return view;
    },
    async close() {
      views.length = 0;
      for (const context of contexts.splice(0)) await context.close();
    },
    async stop() {
      await browser.close();
      await proxy.stop();
    },
  };
}

const support = (file: string) => here(`../support/proxmox/${file}`);
const files = {
  '/pve2/ext6/': `${extjs}/`,
  '/proxmoxlib.js': support('widgets.js'),
  '/proxmoxlib-tasks.js': support('task-windows.js'),
  '/pve2/js/pvemanagerlib.js': support('manager.js'),
  '/pwt/css/': support('css/'),
  '/pwt/themes/': support('css/'),
};

/** As a link says it that somebody has kept. */
function hashOf(at: string, tab: string): string {
  const words = ['=server', `=${encodeURIComponent(at)}`, ...Array(8).fill('')];
  const place = places[at.split('/')[0] as keyof typeof places];
  words[place + 2] = tab && `=${encodeURIComponent(tab)}`;
  return `#v1:${words.join(':')}`;
}

/** Chromium gives up what it is fetching when an interface comes or goes on the machine, as one does with every container: then again. */
async function load(page: Page, url: string, { errors }: View): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    let given = 0;
    const count = (request: Request) => {
      if (request.failure()?.errorText === 'net::ERR_NETWORK_CHANGED') given += 1;
    };
    page.on('requestfailed', count);
    // a second time, only what is behind the # would be another, which is no new page
    const failure = await (attempt === 1 ? page.goto(url) : page.reload()).then(
      () => null,
      (error: Error) => error,
    );
    page.off('requestfailed', count);
    if (given === 0 && !failure) return;
    if (attempt === 5 || (failure && !/ERR_NETWORK_CHANGED/.test(failure.message)))
      throw failure ?? new Error(`${url} could not be loaded`);
    // of a page of which half is missing
    errors.length = 0;
  }
}

function viewOf(page: Page): View {
  const requests: string[] = [];
  const errors: string[] = [];
  page.on('request', (request) => {
    const [, path] = /\/api2\/(?:json|extjs)(\/[^?]*)/.exec(request.url()) ?? [];
    if (path) requests.push(`${request.method()} ${path}`);
  });
  page.on('pageerror', (error) => errors.push(String(error.stack ?? error)));
  page.on('console', (message) => {
    // a refusal that the panel shows is no defect of the page
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) errors.push(message.text());
  });
  const rows = (xtype: string) =>
    page.evaluate((name) => {
      // biome-ignore lint/suspicious/noExplicitAny: ExtJS in the page
      const [grid] = (globalThis as any).Ext?.ComponentQuery.query(name) ?? [];
      if (!grid?.view?.rendered) return [];
      return [...grid.view.el.dom.querySelectorAll('tr.x-grid-row')].map((row) =>
        [...row.querySelectorAll('.x-grid-cell-inner')].map((cell) => cell.innerText.trim()).join(' | '),
      );
    }, xtype);
  return {
    page,
    requests,
    errors,
    rows,
    async row(xtype, pattern) {
      const end = Date.now() + 40_000;
      for (;;) {
        const seen = await rows(xtype);
        const found = seen.find((row) => pattern.test(row));
        if (found !== undefined) return found;
        if (Date.now() > end) throw new Error(`no row of ${xtype} is like ${pattern}: ${JSON.stringify(seen)}`);
        await page.waitForTimeout(100);
      }
    },
    button: (text) => page.locator(`.x-btn:has-text("${text}"):visible`).first(),
    async window(pattern) {
      const found = page.locator('.x-window:visible', { hasText: pattern }).last();
      await found.waitFor();
      return found.innerText();
    },
    async shot(name) {
      await page.screenshot({ path: `${pictures}/${name}.png` });
    },
  };
}
