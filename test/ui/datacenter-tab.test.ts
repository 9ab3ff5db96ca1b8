import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { useRig, web } from '../host/lifecycle/rig.ts';
import { until } from '../support/until.ts';
import { usePanels } from './browser.ts';
import { openTabs, type Tabs } from './tabs.ts';

const markup = '<img src=x onerror="window.hit=1">';
const policy = (label: string) =>
  `apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: { name: default-deny }\nspec:\n  endpointSelector: { matchLabels: { ${label} } }\n  ingress: [{ fromEndpoints: [{ matchLabels: { type: container } }] }]\n`;

/** The datacenter's tab in a real browser, before the real service. */
describe('tab CNI of the datacenter', function () {
  this.timeout(180_000);
  const rig = useRig({ files: { ...web, 'settings.yaml': '# ours\nreleaseAfterHours: 0\n' } });
  const panels = usePanels(() => rig.daemon.socket, {
    'reader@pve': { '/': ['Sys.Audit'] },
    'maker@pve': { '/': ['Sys.Audit', 'Sys.Modify'] },
  });
  const open = (user = 'root@pam', answers: Record<string, unknown> = {}): Promise<Tabs> => openTabs(panels, { at: 'root', user }, answers);
  const text = (file: string) => (existsSync(`${rig.daemon.root}/${file}`) ? readFileSync(`${rig.daemon.root}/${file}`, 'utf8') : null);
  const untilText = (file: string, expected: RegExp) => until(`${file} is written`, () => expected.test(text(file) ?? ''), 40);
  /** closes the box with what was refused; gives what it says */
  const refusal = async (tabs: Tabs) => {
    const box = tabs.page.locator('.x-message-box:visible');
    await box.waitFor();
    const said = await box.innerText();
    await tabs.button('OK').click();
    await box.waitFor({ state: 'hidden' });
    return said.replace(/\s+/g, ' ');
  };

  it('a network is made, refused in the words of the service, changed, and removed', async () => {
    const tabs = await open();
    await tabs.row('pveCniNetworks', 'ready', 'web', '10.20.0.0/24 (10.20.0.1)');
    await tabs.button('Create').click();
    await tabs.fill(tabs.window().getByLabel('Name'), 'lab');
    await tabs.write('type: bridge\nsubnets: [{ cidr: nonsense }]\n');
    await tabs.button('Save').click();
    assert.match(await refusal(tabs), /subnets\[0\]\.cidr must be an address with a prefix length.*nonsense/);
    assert.equal(text('networks/lab.yaml'), null, 'nothing is written');
    await tabs.write('type: bridge\nsubnets: [{ cidr: 10.29.0.0/24, gateway: 10.29.0.1 }]\n');
    await tabs.button('Save').click();
    await tabs.row('pveCniNetworks', 'ready', 'lab', '10.29.0.0/24');
    await tabs.shots('datacenter-networks');
    await tabs.select('lab');
    await tabs.button('Remove').click();
    await tabs.button('Yes').click();
    await tabs.noRow('pveCniNetworks', 'lab');
    assert.equal(text('networks/lab.yaml'), null);
  });

  it('a change of what somebody else changed meanwhile is refused, and a network that is used is not removed', async () => {
    const container = await rig.container();
    const tabs = await open();
    await tabs.row('pveCniNetworks', 'web', /\| 1 \|/);
    await tabs.select('web');
    await tabs.button('Edit').click();
    await until('the text is there', async () => (await tabs.window().locator('textarea').inputValue()).includes('bridge'), 40);
    rig.daemon.write('networks/web.yaml', `# theirs\n${web['networks/web.yaml']}`);
    await tabs.write(`# mine\n${web['networks/web.yaml']}`);
    await tabs.button('Save').click();
    assert.match(await refusal(tabs), /changed by somebody else/);
    assert.match(text('networks/web.yaml') ?? '', /^# theirs/);
    await tabs.page.locator('.x-window:visible .x-tool-close').click();
    await tabs.button('Remove').click();
    await tabs.text(`Containers ${container.vmid} are on network 'web'`);
    await tabs.button('Yes').click();
    assert.match(await refusal(tabs), new RegExp(`container ${container.vmid} is on it`));
    rig.daemon.write('networks/web.yaml', web['networks/web.yaml']);
  });

  it('a policy is refused while it is written, its difference is seen, then it is applied and removed', async () => {
    const container = await rig.container();
    const tabs = await open();
    await tabs.tab('Policies');
    await tabs.text('No policy is there');
    await tabs.button('Create').click();
    await tabs.write(policy('type: container').replace('ingress', 'ingres'));
    await tabs.text(/ingres.*(not|unknown)|(not|unknown).*ingres/i);
    await tabs.write(policy('type: container'));
    await tabs.button('Show difference').click();
    await tabs.text('default-deny is new.');
    await tabs.text(new RegExp(`Selected from now on: ${container.vmid}`));
    await tabs.text(/would not be enforced at eth0/);
    await tabs.shots('datacenter-policy-diff');
    assert.equal(text('policies/default-deny.yaml'), null, 'seeing is not applying');
    await tabs.button('Apply').click();
    await tabs.row('pveCniPolicyGrid', 'default-deny', 'not enforced', 'CiliumNetworkPolicy');
    assert.equal(text('policies/default-deny.yaml'), policy('type: container'));

    await tabs.select('default-deny');
    await tabs.row('#subjects', String(container.vmid), 'eth0', 'web', 'not enforced');
    await tabs.button('Edit').click();
    await until('the text is there', async () => (await tabs.window().locator('textarea').inputValue()).includes('kind'), 40);
    await tabs.write(policy('app: nobody'));
    await tabs.button('Show difference').click();
    await tabs.text(new RegExp(`No longer selected: ${container.vmid}`));
    assert.match(await tabs.page.locator('.pve-cni-diff .critical').innerText(), /^-.*type: container/);
    assert.match(await tabs.page.locator('.pve-cni-diff .good').innerText(), /^\+.*app: nobody/);
    await tabs.button('Apply').click();
    await untilText('policies/default-deny.yaml', /app: nobody/);
    await tabs.row('pveCniPolicyGrid', 'default-deny', 'in force', /\| 0 \|/);
    await tabs.button('Remove').click();
    await tabs.button('Yes').click();
    await tabs.noRow('pveCniPolicyGrid', 'default-deny');
    assert.equal(text('policies/default-deny.yaml'), null);
  });

  it('a policy that somebody else changed meanwhile is not applied, before its difference is seen and after', async () => {
    rig.daemon.write('policies/default-deny.yaml', policy('app: one'));
    const tabs = await open();
    await tabs.tab('Policies');
    await tabs.row('pveCniPolicyGrid', 'default-deny');
    await tabs.select('default-deny');
    await tabs.button('Edit').click();
    await until('the text is there', async () => (await tabs.window().locator('textarea').inputValue()).includes('kind'), 40);
    rig.daemon.write('policies/default-deny.yaml', policy('app: two'));
    await rig.daemon.reconciled();
    await tabs.write(policy('app: three'));
    await tabs.button('Show difference').click();
    await tabs.text('Somebody changed this policy since you opened it');
    assert.ok(await tabs.button('Apply').evaluate((button) => button.closest('.x-btn')?.classList.contains('x-btn-disabled')));
    await tabs.window().getByText('Close', { exact: true }).click();
    await tabs.page.locator('.x-window:visible .x-tool-close').click();

    await tabs.button('Edit').click();
    await until('the new text is there', async () => (await tabs.window().locator('textarea').inputValue()).includes('two'), 40);
    await tabs.write(policy('app: three'));
    await tabs.button('Show difference').click();
    await tabs.text('default-deny changes.');
    rig.daemon.write('policies/default-deny.yaml', policy('app: four'));
    await tabs.button('Apply').click();
    assert.match(await refusal(tabs), /changed by somebody else/);
    assert.match(text('policies/default-deny.yaml') ?? '', /four/);
    rig.daemon.remove('policies/default-deny.yaml');
  });

  it('a service is made, shows that there is no agent to carry it, and is removed', async () => {
    const tabs = await open();
    await tabs.tab('Services');
    await tabs.text('No service is configured.');
    await tabs.button('Create').click();
    await tabs.fill(tabs.window().getByLabel('Name'), 'shop');
    await tabs.write('address: 10.96.0.10\nports: [{ port: 80, target: 8080, protocol: tcp }]\nbackends: { matchLabels: { app: shop } }\n');
    await tabs.button('Save').click();
    await tabs.row('pveCniServiceGrid', 'shop', '10.96.0.10', '80 → 8080/tcp', 'agent does not answer');
    await tabs.select('shop');
    await tabs.text('Backends: shop');
    await tabs.button('Remove').click();
    await tabs.button('Yes').click();
    await tabs.noRow('pveCniServiceGrid', 'shop');
    assert.equal(text('services/shop.yaml'), null);
  });

  it('addresses follow their containers, with bars of their use', async () => {
    const container = await rig.container();
    const tabs = await open();
    await tabs.tab('Addresses');
    await tabs.row('pveCniAddressGrid', 'reserved', 'web', '10.20.0.', String(container.vmid), 'eth0');
    await tabs.row('#use', 'web', '10.20.0.1-10.20.0.254', /\| 1 \| 0 \|/);
    await tabs.page.getByRole('progressbar').first().waitFor();
    await tabs.shots('datacenter-addresses');
  });

  it('a field of the settings writes into their text, which is saved; a stale text is refused', async () => {
    const tabs = await open();
    await tabs.tab('Settings');
    const hours = tabs.page.getByLabel('Hours that addresses of a destroyed container are kept back');
    await until('the settings are there', async () => (await hours.inputValue()) === '0', 40);
    await tabs.fill(hours, '2');
    await tabs.fill(tabs.page.getByLabel('Days that a flow is kept'), '3');
    await tabs.button('Save').click();
    await untilText('settings.yaml', /^# ours\nreleaseAfterHours: 2\nflows:\n {2}retentionDays: 3\n$/);
    await tabs.text('Saved.');
    await until('nothing is left to save', async () => (await tabs.page.locator('.x-btn-disabled', { hasText: 'Save' }).count()) === 1, 40);
    await tabs.fill(tabs.page.getByLabel('Days that a flow is kept'), '4');
    rig.daemon.write('settings.yaml', 'releaseAfterHours: 0\n');
    await rig.daemon.reconciled();
    await tabs.button('Save').click();
    await tabs.text(/changed by somebody else/);
    assert.equal(text('settings.yaml'), 'releaseAfterHours: 0\n');
    await tabs.button('Reload').click();
    await until('what is there now is shown', async () => (await hours.inputValue()) === '0', 40);
  });

  it('who may only look finds no button to change anything, and sees all of it', async () => {
    const tabs = await open('reader@pve');
    await tabs.row('pveCniNetworks', 'web');
    await tabs.select('web');
    for (const button of ['Create', 'Edit', 'Remove']) assert.equal(await tabs.button(button).count(), 0, button);
    await tabs.button('View').click();
    await until('the text is there', async () => (await tabs.window().locator('textarea').inputValue()).includes('bridge'), 40);
    assert.equal(await tabs.window().locator('textarea').isEditable(), false);
    assert.equal(await tabs.button('Save').count(), 0);
    await tabs.page.keyboard.press('Escape');
    await tabs.tab('Settings');
    await until('the settings are there', async () => (await tabs.page.locator('textarea:visible').inputValue()).includes('release'), 40);
    assert.equal(await tabs.button('Save').count(), 0);
  });

  it('who is not root may not name programs, and is told so', async () => {
    const tabs = await open('maker@pve');
    await tabs.button('Create').click();
    await tabs.fill(tabs.window().getByLabel('Name'), 'raw');
    await tabs.write('{ "cniVersion": "1.0.0", "name": "raw", "plugins": [{ "type": "bridge" }] }\n');
    await tabs.button('Save').click();
    assert.match(await refusal(tabs), /only root may/);
    assert.equal(text('networks/raw.conflist'), null);
  });

  it('strings of files and guests are text, in every tab', async () => {
    const tabs = await open('root@pam', hostileAnswers);
    for (const title of ['Networks', 'Policies', 'Services', 'Addresses', 'Settings']) {
      await tabs.tab(title);
      await tabs.unmasked();
      if (title === 'Settings') continue;
      await tabs.text('<img src=x');
      const cell = tabs.page.locator('.x-grid-cell:visible', { hasText: '<img' }).first();
      await cell.hover();
      await cell.click();
    }
    assert.equal(await tabs.page.evaluate('window.hit'), undefined);
    assert.equal(await tabs.page.locator('img[src="x"]').count(), 0);
  });
});

/** What the service would say if every string that comes from outside were markup. */
const hostileAnswers = {
  networks: [
    {
      ...{ name: markup, type: markup, state: markup, file: markup, subnets: [{ cidr: markup, gateway: markup }], containers: [] },
      ...{ warnings: [markup], problem: { message: markup } },
    },
  ],
  policies: [
    {
      ...{ name: markup, kind: markup, file: markup, state: markup, directions: [markup], problem: { message: markup } },
      containers: [{ vmid: 100, interface: markup, network: markup, state: markup, since: markup }],
    },
  ],
  services: [
    {
      ...{ name: markup, file: markup, state: markup, message: markup, address: markup, nodePort: null },
      ports: [{ port: 1, target: 1, protocol: markup }],
      backends: [{ vmid: 100, name: markup, node: markup, address: markup, up: false, reason: markup, since: null }],
    },
  ],
  addresses: [
    {
      ...{ network: markup, address: markup, vmid: 100, ifname: markup, state: markup, since: markup, releaseAt: null, inUse: true },
      ...{ family: markup, range: markup, size: 1, used: 1, kept: 0, free: 0 },
    },
  ],
  settings: { text: markup, digest: null, settings: { releaseAfterHours: 1, identityTags: [markup], flows: {} } },
};
