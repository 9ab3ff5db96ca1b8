import assert from 'node:assert/strict';
import { useRig, web } from '../host/lifecycle/rig.ts';
import { until } from '../support/until.ts';
import { usePanels, type View } from './browser.ts';

const grid = 'pveCniContainerInterfaces';
const markup = '<img src=x onerror="window.xss=1">';
const scripted = JSON.stringify({ cniVersion: '1.0.0', name: 'scripted', plugins: [{ type: 'first' }] });
const two = { 'networks/lan.yaml': 'type: bridge\nsubnets: [{ cidr: 10.21.0.0/24, gateway: 10.21.0.1 }]\n' };

describe('the tab of a container', function () {
  this.timeout(120_000);
  const rig = useRig({ files: { ...web, ...two, 'networks/scripted.conflist': scripted }, scripted: ['first'] });
  const panels = usePanels(() => rig.daemon.socket);

  const started = async () => {
    const container = await rig.container();
    await container.start();
    return container;
  };
  const field = (view: View, label: string) => view.page.locator('.x-window').getByLabel(label, { exact: false }).first();
  // a window that has just opened moves the focus once more
  const type = (view: View, label: string, text: string) =>
    until(`${label} is ${text}`, async () => {
      await field(view, label).fill(text);
      return (await field(view, label).inputValue()) === text;
    });
  const chooseNetwork = async (view: View, name: string) => {
    await field(view, 'Network').click();
    await field(view, 'Network').press('ArrowDown');
    await view.page.locator('.x-boundlist-item:visible', { hasText: name }).click();
  };
  const states = async (vmid: number): Promise<Record<string, string>> => {
    const { body } = await rig.daemon.api('GET', `/v1/containers/${vmid}/interfaces`);
    return Object.fromEntries(body.map((one: { ifname: string; state: string }) => [one.ifname, one.state]));
  };

  it('shows an interface as it is, and follows its container through start and stop', async () => {
    const container = await rig.container();
    const view = await panels.open({ at: `lxc/${container.vmid}` });
    assert.match(await view.row(grid, /^eth0/), /^eth0 \| container not running \| web \| 10\.20\.0\.\d+\/24 \| - \|/);
    await container.start();
    const [one] = (await rig.show(container)).interfaces;
    assert.ok(one);
    const row = await view.row(grid, /attached/);
    for (const part of [...one.addresses, one.mac, String(one.mtuBytes), one.hostInterface])
      assert.ok(row.includes(part), `${part} in ${row}`);
    await view.shot('container-light');
    await container.stop();
    await view.row(grid, /container not running/);
  });

  it('says why a start was refused, in words that are no markup', async () => {
    rig.plugins.script('first', 'ADD', ['exit 1'], JSON.stringify({ cniVersion: '1.0.0', code: 11, msg: `no more tags ${markup}` }));
    const container = await rig.container({ interfaces: [{ name: 'eth0', network: 'scripted' }] });
    const view = await panels.open({ at: `lxc/${container.vmid}` });
    await view.row(grid, /^eth0/);
    await rig.refused(container);
    const notice = view.page.locator('.pve-cni-notice');
    await notice.getByText('no more tags').waitFor();
    assert.ok((await notice.innerText()).includes(markup), 'it can be read as it was written');
    await view.page.getByRole('tab', { name: 'Operations' }).click();
    assert.ok((await view.row('pveCniOperations', /attach \| .*failed/)).includes(`no more tags ${markup}`));
    assert.equal(await view.page.evaluate('window.xss'), undefined);
    rig.plugins.unscript('first', 'ADD');
  });

  it('shows drift, and repairs it', async () => {
    const container = await started();
    const view = await panels.open({ at: `lxc/${container.vmid}` });
    await view.row(grid, /attached/);
    await container.exec(['ip', 'addr', 'flush', 'dev', 'eth0']);
    assert.match(await view.row(grid, /not as it should be/), /10\.20\.0\./);
    await view.button('Repair').click();
    await view.window(/Task viewer: CT \d+ - CNI check/);
    await view.row(grid, /attached/);
  });

  it('adds an interface to a running container, changes and removes it', async () => {
    const container = await started();
    const view = await panels.open({ at: `lxc/${container.vmid}` });
    await view.row(grid, /attached/);

    await view.button('Add').click();
    await view.window(/The container is running: this takes effect at once/);
    assert.equal(await field(view, 'Name').inputValue(), 'eth1', 'the next free name');
    await chooseNetwork(view, 'lan');
    await type(view, 'IP Address', '10.21.0.77');
    await view.page.keyboard.press('Tab');
    await view.shot('container-form');
    await view.page.locator('.x-window .x-btn:has-text("Add")').click();
    assert.match(await view.row(grid, /^eth1 .*attached/), /lan \| 10\.21\.0\.77\/24/);
    assert.equal((await states(container.vmid)).eth1, 'attached');

    await view.page.locator('.x-grid-row', { hasText: /^\s*eth1/ }).click();
    await view.button('Edit').click();
    assert.equal(await field(view, 'IP Address').inputValue(), '10.21.0.77');
    assert.equal(await field(view, 'Name').getAttribute('readonly'), 'readonly');
    await type(view, 'IP Address', '10.21.0.78');
    await view.page.locator('.x-window .x-btn:has-text("OK")').click();
    await view.row(grid, /^eth1 .*attached.*10\.21\.0\.78/);

    await view.page.locator('.x-grid-row', { hasText: /^\s*eth1/ }).click();
    await view.button('Remove').click();
    await view.window(/Are you sure you want to remove entry 'eth1'/);
    await view.page.locator('.x-window .x-btn:has-text("Yes")').click();
    await until('eth1 is gone', async () => !(await view.rows(grid)).some((row) => row.startsWith('eth1')), 40);
    assert.deepEqual(await states(container.vmid), { eth0: 'attached' });
  });

  it('is used by keyboard as Proxmox’s own lists are: Insert, Enter, Delete', async () => {
    const container = await rig.container();
    const view = await panels.open({ at: `lxc/${container.vmid}` });
    await view.row(grid, /^eth0/);
    await view.page.locator('.x-grid-row').first().click();
    for (const [key, title] of [
      ['Insert', /Add: CNI Interface/],
      ['Enter', /Edit: CNI Interface/],
      ['Delete', /Are you sure you want to remove entry 'eth0'/],
    ] as const) {
      await view.page.keyboard.press(key);
      await view.window(title);
      await view.page.keyboard.press('Escape');
      await view.page
        .locator('.x-window:visible')
        .waitFor({ state: 'detached' })
        .catch(() => {});
      await until(`the window of ${key} is closed`, async () => (await view.page.locator('.x-window:visible').count()) === 0, 30);
      await view.page.locator('.x-grid-row').first().click();
    }
    assert.deepEqual(Object.keys(await states(container.vmid)), ['eth0']);
  });

  it('marks what does not fit before it is sent, and shows what the service refuses', async () => {
    const container = await rig.container();
    const view = await panels.open({ at: `lxc/${container.vmid}` });
    await view.row(grid, /^eth0/);
    await view.button('Add').click();
    const submit = view.page.locator('.x-window .x-btn:has-text("Add")');
    await chooseNetwork(view, 'web');
    for (const [label, bad, good] of [
      ['Name', 'a/b', 'eth1'],
      ['IP Address', '10.20.0.300', '10.99.0.1'],
    ] as const) {
      await type(view, label, bad);
      await until(`${bad} is refused`, async () => /x-btn-disabled|x-item-disabled/.test((await submit.getAttribute('class')) ?? ''), 30);
      await type(view, label, good);
      await until(`${good} fits`, async () => !/x-btn-disabled|x-item-disabled/.test((await submit.getAttribute('class')) ?? ''), 30);
    }
    await submit.click();
    assert.match(await view.window(/Task failed/), /10\.99\.0\.1/);
    assert.deepEqual(Object.keys(await states(container.vmid)), ['eth0']);
  });

  it('asks for nothing any more once another tab is shown', async () => {
    const container = await rig.container();
    const view = await panels.open({ at: `lxc/${container.vmid}` });
    await view.row(grid, /^eth0/);
    // what it was asking for is what goes on elsewhere: a second page tells that time has passed
    const other = await panels.open({ at: `lxc/${container.vmid}` });
    await view.page.locator('.x-treelist-row', { hasText: 'Options' }).click();
    await view.page.waitForFunction("Ext.ComponentQuery.query('pveCniContainer').length === 0");
    await view.page.waitForLoadState('networkidle');
    const asked = view.requests.length;
    const reference = other.requests.length;
    await until('the other page has asked again and again', () => other.requests.length > reference + 4, 90);
    assert.deepEqual(view.requests.slice(asked), []);
  });

  it('only the lower tab that is seen asks', async () => {
    const container = await rig.container();
    const view = await panels.open({ at: `lxc/${container.vmid}` });
    await view.row(grid, /^eth0/);
    const count = (path: string) => view.requests.filter((request) => request.endsWith(path)).length;
    await view.page.getByRole('tab', { name: 'Policies' }).click();
    await until('it asks for policies', () => count('/policy') > 0, 60);
    assert.equal(count('/flows') + count('/operations'), 0);
    await view.page.getByRole('tab', { name: 'Flows' }).click();
    await until('it asks for flows', () => count('/flows') > 0, 60);
    const policies = count('/policy');
    await until('it asks for flows again and again', () => count('/flows') > 2, 60);
    assert.ok(count('/policy') <= policies + 1, 'at most what was under way');
  });

  it('shows a container that has none as empty, and lets it have one', async () => {
    const container = await rig.container({ interfaces: null });
    const view = await panels.open({ at: `lxc/${container.vmid}` });
    await view.page.getByText('This container has no CNI interface').waitFor();
    await view.button('Add').click();
    await chooseNetwork(view, 'web');
    await view.page.locator('.x-window .x-btn:has-text("Add")').click();
    await view.row(grid, /^eth0 \| container not running \| web/);
  });

  it('is dark where the page is', async () => {
    const container = await started();
    const view = await panels.open({ at: `lxc/${container.vmid}`, dark: true });
    await view.row(grid, /attached/);
    await view.shot('container-dark');
    const ground = await view.page.evaluate(
      "getComputedStyle(Ext.ComponentQuery.query('pveCniContainerInterfaces')[0].body.dom).backgroundColor",
    );
    assert.equal(ground, 'rgb(38, 38, 38)');
  });

  it('says that the service is away, and recovers', async () => {
    const container = await rig.container();
    const view = await panels.open({ at: `lxc/${container.vmid}` });
    await view.row(grid, /^eth0/);
    await rig.daemon.stop();
    await view.page
      .locator('.x-mask-msg', { hasText: /pve-cni/ })
      .first()
      .waitFor();
    await rig.daemon.start();
    await until('the mask is gone', async () => (await view.page.locator('.x-mask-msg:visible').count()) === 0, 60);
    await view.row(grid, /^eth0/);
  });
});
