// The service is a stand-in (service-stand-in.ts): it answers what no real one would, and a thousand interfaces where a container may have 32.
import assert from 'node:assert/strict';
import { until } from '../support/until.ts';
import { usePanels, type View } from './browser.ts';
import { type Answers, type ServiceStandIn, startServiceStandIn } from './service-stand-in.ts';

const grid = 'pveCniContainerInterfaces';
const markup = (where: string) => `<img src=x onerror="window.xss='${where}'">"'&lt;`;
const time = '2026-11-24T10:00:00.000Z';

const row = (index: number, more: object = {}) => ({
  vmid: 101,
  container: 'web',
  running: true,
  ifname: `eth${index}`,
  network: 'web',
  type: 'bridge',
  state: 'attached',
  message: null,
  addresses: [`10.20.${index >> 8}.${index & 255}/16`],
  configured: { network: 'web', address: 'auto', defaultRoute: null },
  mac: '02:00:00:00:00:01',
  mtu: 1500,
  hostIfname: `veth${index}`,
  since: time,
  defaultRoute: index === 0,
  names: [],
  enforced: null,
  traffic: { rxBytes: 1, txBytes: 2, rxPackets: 1, txPackets: 1, rxDrops: 0, txDrops: 0, rxRate: 1000, txRate: 2000 },
  ...more,
});
const end = (name: string) => ({ kind: 'container', vmid: 101, name: markup(name), address: markup(`${name}-address`), port: 80 });
const at = (path: string) => `/v1/containers/101${path}`;

/** Every text that comes from a guest, a plugin or a file, as an attacker would write it. */
const hostile: Answers = {
  [at('')]: {
    running: false,
    problem: { message: markup('problem') },
    lastRefusal: { time, message: markup('refusal'), operation: 'x' },
  },
  [at('/interfaces')]: [
    row(0, {
      container: markup('name'),
      network: markup('network'),
      state: 'failed',
      message: markup('message'),
      addresses: [markup('address')],
      mac: markup('mac'),
      mtu: markup('mtu'),
      hostIfname: markup('host'),
      names: [markup('dns')],
      configured: { network: markup('configured'), address: [markup('fixed')], defaultRoute: null },
    }),
    row(1, { ifname: markup('ifname'), state: markup('state'), since: markup('since'), traffic: { rxRate: markup('rate') } }),
  ],
  '/v1/networks': [{ name: markup('choice'), type: markup('type') }],
  '/v1/operations': [
    {
      id: markup('id'),
      kind: markup('kind'),
      network: markup('network'),
      door: markup('door'),
      user: markup('user'),
      begin: time,
      durationMs: 3,
      outcome: markup('outcome'),
      message: markup('text'),
      error: { message: markup('error') },
    },
  ],
  [at('/policy')]: {
    interfaces: [
      {
        name: markup('ifname'),
        network: markup('network'),
        state: markup('state'),
        labels: [markup('tag')],
        enforced: { [markup('way')]: true },
        policies: [{ name: markup('policy'), directions: [markup('direction')] }],
        differences: [markup('difference')],
      },
    ],
  },
  '/v1/flows': {
    flows: [
      {
        id: 1,
        time,
        verdict: markup('verdict'),
        protocol: markup('protocol'),
        from: end('from'),
        to: end('to'),
        reason: markup('reason'),
        policies: [markup('policy')],
        detail: markup('detail'),
      },
    ],
    next: null,
    losses: [],
  },
  [at('/history')]: { timeframe: 'hour', stepSeconds: 10, points: [{ time: 1_790_000_000, rxRate: 10, txRate: 20 }] },
};

describe('the tab of a container, of answers that mean it no good', function () {
  this.timeout(120_000);
  const answers: Answers = {};
  let service: ServiceStandIn | undefined;
  before(async () => {
    service = await startServiceStandIn(answers);
  });
  after(() => service?.stop());
  const panels = usePanels(() => (service as ServiceStandIn).socket, {
    'audit@pve': { '/vms/101': ['VM.Audit'] },
    'op@pve': { '/vms/101': ['VM.Audit', 'VM.Config.Network'] },
    'other@pve': { '/vms/101': ['VM.PowerMgmt'] },
  });
  const serve = (next: Answers) => {
    for (const path of Object.keys(answers)) delete answers[path];
    Object.assign(answers, next);
  };
  const rendered = (view: View) => view.page.locator(`.x-grid-view:visible`).first().locator('tr.x-grid-row').count();

  it('takes no text of others for markup: rows, tips, notice, forms, questions', async () => {
    serve(hostile);
    const view = await panels.open({ at: 'lxc/101' });
    assert.ok((await view.row(grid, /eth0/)).includes(markup('message')));
    const notice = await view.page.locator('.pve-cni-notice').innerText();
    assert.ok(notice.includes(markup('problem')) && notice.includes(markup('refusal')));

    await view.page.locator('.x-grid-row', { hasText: 'eth0' }).locator('.x-grid-cell').nth(1).hover();
    await until('the tip is there', async () => (await view.page.locator('.x-tip:visible').innerText()).includes(markup('message')), 60);

    for (const [tab, xtype, text] of [
      ['Operations', 'pveCniOperations', 'error'],
      ['Policies', 'pveCniContainerPolicies', 'difference'],
      ['Flows', 'pveCniFlowGrid', 'reason'],
    ] as const) {
      await view.page.getByRole('tab', { name: tab }).click();
      assert.ok((await view.row(xtype, /xss/)).includes(markup(text)), tab);
    }

    await view.page.locator('.x-grid-row', { hasText: 'eth0' }).first().click();
    await view.button('Edit').click();
    await view.window(/Edit: CNI Interface/);
    await view.page.locator('.x-window').getByLabel('Network').press('ArrowDown');
    await view.page.locator('.x-boundlist-item', { hasText: markup('choice') }).waitFor();
    await view.page.keyboard.press('Escape');
    await view.page.evaluate("Ext.ComponentQuery.query('pveCniInterfaceEdit').forEach((one) => one.close())");
    await view.page.locator('.x-grid-row', { hasText: 'ifname' }).first().click();
    await view.button('Remove').click();
    await view.window(/Are you sure/);
    assert.equal(await view.page.evaluate('window.xss'), undefined);
    assert.equal(await view.page.locator('img[src="x"]').count(), 0);
  });

  it('draws of a thousand interfaces only those in view, and keeps the place when they change', async () => {
    const thousand = (rate: number) =>
      Array.from({ length: 1000 }, (_, index) => row(index, { traffic: { ...row(0).traffic, rxRate: rate } }));
    serve({ [at('/interfaces')]: thousand(0) });
    const view = await panels.open({ at: 'lxc/101' });
    await view.row(grid, /eth0 /);
    assert.equal(await view.page.evaluate(`Ext.ComponentQuery.query('${grid}')[0].store.getCount()`), 1000);
    const count = await rendered(view);
    assert.ok(count > 0 && count < 200, `${count} rows are drawn`);
    await view.page.evaluate(`Ext.ComponentQuery.query('${grid}')[0].ensureVisible(900, { select: true, focus: true })`);
    const selected = `Ext.ComponentQuery.query('${grid}')[0].selModel.getSelection()[0].getId()`;
    const chosen = await view.page.evaluate(selected);
    const scrolled = `Ext.ComponentQuery.query('${grid}')[0].view.getScrollY()`;
    const place = await view.page.evaluate(scrolled);
    serve({ [at('/interfaces')]: thousand(5 * 1024 * 1024) });
    await view.row(grid, /5\.00 MiB\/s/);
    assert.equal(await view.page.evaluate(selected), chosen);
    assert.equal(await view.page.evaluate(scrolled), place);
    assert.ok((await rendered(view)) < 200);
  });

  it('has no tab for who may not look at containers', async () => {
    serve({ [at('/interfaces')]: [row(0)] });
    const view = await panels.open({ at: 'lxc/101', user: 'other@pve' });
    await view.page.locator('.x-treelist-row', { hasText: 'Summary' }).waitFor();
    assert.equal(await view.page.locator('.x-treelist-row', { hasText: 'CNI' }).count(), 0);
    assert.deepEqual(view.requests, []);
  });

  it('lets who may only look do nothing but check', async () => {
    serve({ [at('/interfaces')]: [row(0)] });
    const view = await panels.open({ at: 'lxc/101', user: 'audit@pve' });
    await view.row(grid, /eth0/);
    await view.page.locator('.x-grid-row', { hasText: 'eth0' }).click();
    const disabled = await view.page.evaluate(
      `['add', 'remove', 'edit', 'repair', 'check'].filter((id) => Ext.ComponentQuery.query('${grid} #' + id)[0].isDisabled()).join(' ')`,
    );
    assert.equal(disabled, 'add remove edit repair');
    for (const key of ['Insert', 'Enter', 'Delete']) await view.page.keyboard.press(key);
    await view.page.locator('.x-grid-row', { hasText: 'eth0' }).dblclick();
    assert.equal(await view.page.locator('.x-window:visible').count(), 0);
  });

  it('shows what Proxmox refuses, and offers no fixed address to who may not give one', async () => {
    serve({ [at('/interfaces')]: [row(0)], '/v1/networks': [{ name: 'web', type: 'bridge' }] });
    const view = await panels.open({ at: 'lxc/101', user: 'op@pve' });
    await view.row(grid, /eth0/);
    await view.button('Add').click();
    const window = view.page.locator('.x-window');
    assert.equal(await window.getByLabel('IP Address').isDisabled(), true);
    await window.getByLabel('Network').fill('web');
    await window.getByLabel('Network').press('Tab');
    await window.locator('.x-btn:has-text("Add")').click();
    assert.match(await view.window(/Permission check failed/), /SDN\.Use/);
  });
});
