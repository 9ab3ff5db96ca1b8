import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { execa } from 'execa';
import { useRig } from '../host/lifecycle/rig.ts';
import { createProxmoxFolder } from '../support/proxmox-folder.ts';
import { until } from '../support/until.ts';
import { usePanels } from './browser.ts';
import { openTabs, type Tabs } from './tabs.ts';

const markup = '<img src=x onerror="window.hit=1">';
const dataDir = '/run/pve-cni-test-node-tab';
const owing = {
  cniVersion: '1.0.0',
  name: 'owing',
  plugins: [
    { type: 'bridge', bridge: 'cnitest9', ipam: { type: 'host-local', dataDir, ranges: [[{ subnet: '10.79.0.0/24' }]] } },
    { type: 'watch' },
  ],
};
const said = { message: markup };
const web = 'type: bridge\nsubnets: [{ cidr: 10.20.0.0/24, gateway: 10.20.0.1 }]\n';

/** The node's tab in a real browser, before the real service and real containers. */
describe('tab CNI of a node', function () {
  this.timeout(180_000);
  const dir = mkdtempSync('/var/lib/pve-cni-test-pve-');
  const proxmox = createProxmoxFolder(`${dir}/pve`, 'pve1');
  const rig = useRig({
    files: { 'networks/web.yaml': web, 'networks/owing.conflist': JSON.stringify(owing) },
    scripted: ['watch'],
    settings: {
      pveDir: proxmox.path,
      cilium: { hubbleSocket: `${dir}/hubble.sock` },
      timeouts: { pluginSeconds: 10, operationSeconds: 30, stopSeconds: 5 },
    },
    ignore: /cnitest9/,
    cleanUp: async () => {
      await execa('ip', ['link', 'delete', 'cnitest9'], { reject: false });
      rmSync(dataDir, { recursive: true, force: true });
    },
  });
  const panels = usePanels(() => rig.daemon.socket, { 'reader@pve': { '/': ['Sys.Audit', 'VM.Audit'] } });
  after(() => rmSync(dir, { recursive: true }));
  const hubbles: ChildProcess[] = [];
  after(async () => {
    for (const hubble of hubbles) {
      hubble.kill('SIGKILL');
      if (hubble.exitCode === null && hubble.signalCode === null) await once(hubble, 'exit');
    }
  });
  const open = (user = 'root@pam', answers: Record<string, unknown> = {}): Promise<Tabs> =>
    openTabs(panels, { at: 'node/pve1', user }, answers);

  it('shows a container that starts and stops, in the list and in the picture', async () => {
    const container = await rig.container();
    const tabs = await open();
    await tabs.tab('Interfaces');
    await tabs.row('pveCniNodeInterfaces', String(container.vmid), 'not running', 'web', /10\.20\.0\.\d+/);
    await container.start();
    await tabs.row('pveCniNodeInterfaces', String(container.vmid), 'attached', /\d B\/s|iB\/s/);
    await tabs.tab('Topology');
    await until('the box is good', async () => (await tabs.box(`container:${container.vmid}@`)) === 'good', 40);
    assert.equal(await tabs.box('network:web'), 'good');
    await tabs.shots('node-topology');
    await container.stop();
    await until('the box is off', async () => (await tabs.box(`container:${container.vmid}@`)) === 'off', 40);
    await tabs.tab('Interfaces');
    await tabs.row('pveCniNodeInterfaces', String(container.vmid), 'not running');
  });

  it('a click or Enter on a container opens its tab, on a network lists its interfaces', async () => {
    const container = await rig.container();
    await rig.container({ interfaces: [{ name: 'eth0', network: 'owing' }] });
    const tabs = await open();
    await tabs.tab('Topology');
    const box = tabs.page.locator(`[data-key^="container:${container.vmid}@"]`);
    assert.match((await box.getAttribute('aria-label')) ?? '', new RegExp(`container ${container.vmid}.* on network web: off`));
    await tabs.page.locator('[data-key="network:web"]').focus();
    await tabs.page.keyboard.press('ArrowRight');
    await tabs.page.locator(`[data-key^="container:${container.vmid}@"]:focus`).waitFor();
    await tabs.page.keyboard.press('Enter');
    await tabs.page.waitForURL((url) => url.hash.includes(`=lxc%2F${container.vmid}:`) && url.hash.includes(':=cni'));
    await tabs.page.evaluate(() => {
      // biome-ignore lint/suspicious/noExplicitAny: ExtJS has no types here
      (globalThis as any).Ext.ComponentQuery.query('pveStdWorkspace')[0].selectById('node/pve1');
    });
    await tabs.tab('Topology');
    await tabs.page.locator('[data-key="network:web"]').click();
    await tabs.row('pveCniNodeInterfaces', String(container.vmid), 'web');
    await tabs.noRow('pveCniNodeInterfaces', 'owing');
    await tabs.text('1 of 2 interfaces');
  });

  it('says which file is broken and why, until it is mended', async () => {
    const tabs = await open();
    await tabs.row('pveCniNodeNetworks', 'ready', 'web', '10.20.0.0/24');
    rig.daemon.write('networks/web.yaml', `type: bridge\nsubnets: [{ cidr: "${markup}" }]\n`.replaceAll('"window.hit=1"', 'window.hit=1'));
    await rig.daemon.reconciled();
    await tabs.row('pveCniFindings', 'networks/web.yaml', 'its last good version serves');
    await tabs.shots('node-overview');
    rig.daemon.write('networks/web.yaml', web);
    await rig.daemon.reconciled();
    await tabs.noRow('pveCniFindings', 'networks/web.yaml');
  });

  it('shows the debt that a failing DEL leaves, and cleans up on demand as a task', async () => {
    const container = await rig.container({ interfaces: [{ name: 'eth0', network: 'owing' }] });
    await container.start();
    rig.plugins.script('watch', 'DEL', ['exit 1'], JSON.stringify({ cniVersion: '1.0.0', code: 11, msg: `away ${markup}` }));
    await container.stop();
    const tabs = await open();
    await tabs.tab('Debts and leaks');
    await tabs.row('#debts', String(container.vmid), 'owing', `away ${markup}`);
    await tabs.button('Clean up').click();
    await tabs.text(/1 debt · 0 leaks/);
    rig.plugins.unscript('watch', 'DEL');
    await tabs.button('Yes').click();
    await tabs
      .window()
      .getByText(/TASK OK|stopped: OK/)
      .first()
      .waitFor();
    await tabs.page.keyboard.press('Escape');
    await tabs.noRow('#debts', 'owing');
  });

  it('strings of guests, files and plugins are text, in every tab', async () => {
    const tabs = await open('root@pam', hostileAnswers);
    await tabs.row('pveCniFindings', markup);
    for (const title of ['Topology', 'Interfaces', 'Flows', 'Debts and leaks', 'History', 'Overview']) {
      await tabs.tab(title);
      await tabs.unmasked();
      if (title !== 'History') await tabs.text('<img src=x');
      // tooltips are HTML
      const cell = tabs.page.locator('.x-grid-cell:visible', { hasText: '<img' }).first();
      if (await cell.count()) await cell.hover();
    }
    await tabs.tab('Interfaces');
    await tabs.page.getByRole('combobox', { name: 'Network' }).click();
    await tabs.page.waitForTimeout(500);
    assert.equal(await tabs.page.evaluate('window.hit'), undefined);
    assert.equal(await tabs.page.locator('img[src="x"]').count(), 0);
  });

  it('says in one sentence that the service is away, and goes on by itself when it is back', async () => {
    const tabs = await open();
    await tabs.row('pveCniNodeNetworks', 'ready', 'web');
    await rig.daemon.stop();
    await tabs.text(/pve-cni.*(not running|does not answer|not reached|unavailable|cannot)/i);
    await tabs.tab('Interfaces');
    await tabs.text(/pve-cni.*(not running|does not answer|not reached|unavailable|cannot)/i);
    await rig.daemon.start();
    await tabs.unmasked();
    await tabs.tab('Overview');
    await tabs.row('pveCniNodeNetworks', 'ready', 'web');
  });

  it('an answer that makes no sense is said to be so, and asked for again', async () => {
    const tabs = await open('root@pam', { status: ['rubbish'] });
    await tabs.text('The service answered what cannot be shown here.');
    await tabs.page.unrouteAll();
    await tabs.unmasked();
    await tabs.text(/containers, \d+ running/);
  });

  it('shows flows as they come, halts, and goes on', async () => {
    const hubble = spawn(process.execPath, ['--import', 'tsx', 'test/support/hubble-stand-in.ts', `${dir}/hubble.sock`, '100'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    hubbles.push(hubble);
    await once(hubble.stdout, 'data');
    const tabs = await open();
    await tabs.tab('Flows');
    await tabs.row('pveCniFlowGrid', 'dropped', '101 web', ':53', 'udp');
    const newest = async () => (await tabs.rows('pveCniFlowGrid'))[0];
    const first = await newest();
    await until('newer ones come', async () => (await newest()) !== first, 60);
    await tabs.button('Live').click();
    await tabs.tab('Overview');
    await tabs.row('pveCniNodeNetworks', 'web');
    const asked: string[] = [];
    tabs.page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    await tabs.tab('Flows');
    await tabs.page.waitForTimeout(1500);
    assert.ok(!asked.some((path) => path.endsWith('/flows')), 'it stays halted behind another tab');
    await tabs.button('Live').click();
    await until('it goes on', () => asked.some((path) => path.endsWith('/flows')), 40);
  });

  it('draws the traffic of the last hour, and says what there is nothing of', async () => {
    const time = Math.floor(Date.now() / 60_000) * 60;
    const points = Array.from({ length: 60 }, (_, index) => ({ time: time - (60 - index) * 60, rxRate: 1e6 + index * 1e4, txRate: 5e5 }));
    const operations = [{ time: time - 600, kind: 'detach', count: 3, failed: 1, p50Ms: 20, p99Ms: 30 }];
    const tabs = await open('root@pam', { history: { timeframe: 'hour', stepSeconds: 60, bucketSeconds: 60, points, operations } });
    await tabs.tab('History');
    await tabs.text('received');
    await tabs.text('Nothing of this is known for that time: Time that attaching took.');
    assert.equal(await tabs.page.evaluate("Ext.ComponentQuery.query('pveCniChart#traffic')[0].getStore().getCount()"), 60);
    const counts = await tabs.page.evaluate(
      "Ext.ComponentQuery.query('pveCniChart#operations')[0].getStore().getRange().map(({ data }) => [data.attach, data.detach, data.failed].join())",
    );
    assert.deepEqual((counts as string[]).slice(0, 3), ['0,0,0', '0,2,1', '0,0,0'], 'what nothing is told of is zero');
    await tabs.shots('node-history');
  });

  it('who may only look has no button to clean up', async () => {
    const tabs = await open('reader@pve');
    await tabs.tab('Debts and leaks');
    await tabs.button('Preview').waitFor();
    assert.equal(await tabs.button('Clean up').count(), 0);
  });

  it('asks for nothing once it is left', async () => {
    const tabs = await open();
    await tabs.row('pveCniNodeNetworks', 'web');
    await tabs.tab('Topology');
    await until('the picture is drawn', async () => (await tabs.box('network:web')) !== null, 40);
    const asked: string[] = [];
    tabs.page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    // the next request is the picture's: by then every other view had its turn, were it still alive
    await until('the picture asks twice', () => asked.filter((path) => path.endsWith('/topology')).length >= 2, 40);
    assert.deepEqual(
      asked.filter((path) => path.includes('/cni/') && !path.endsWith('/topology')),
      [],
    );
    await tabs.page.evaluate(() => {
      // biome-ignore lint/suspicious/noExplicitAny: ExtJS has no types here
      (globalThis as any).Ext.ComponentQuery.query('pvePanelConfig')[0].selectById('summary');
    });
    asked.length = 0;
    await tabs.page.waitForTimeout(2000);
    assert.deepEqual(asked, []);
  });

  it('a thousand interfaces are a buffered list and a folded picture', async () => {
    const states = (index: number) => (index % 100 === 7 ? 'failed' : 'attached');
    const interfaces = Array.from({ length: 1000 }, (_, index) => ({
      ...{
        vmid: 1000 + index,
        container: `web-${index}`,
        running: true,
        ifname: 'eth0',
        network: 'web',
        type: 'bridge',
        state: states(index),
      },
      ...{
        message: null,
        addresses: [`10.20.${index >> 8}.${index & 255}/16`],
        configured: null,
        mac: null,
        mtu: 1500,
        hostIfname: `v${index}`,
      },
      ...{ since: null, defaultRoute: true, names: [], enforced: null, traffic: { rxRate: index, txRate: 1 } },
    }));
    const topology = {
      nodes: [
        { id: 'network:web', kind: 'network', name: 'web', state: 'good', detail: '', network: 'web' },
        ...interfaces.map(({ vmid, container }) => ({
          id: `container:${vmid}`,
          kind: 'container',
          name: container,
          state: 'good',
          detail: '',
          vmid,
        })),
      ],
      edges: interfaces.map(({ vmid }, index) => ({
        ...{ from: `container:${vmid}`, to: 'network:web', label: 'eth0' },
        state: states(index) === 'failed' ? 'critical' : 'good',
      })),
    };
    const tabs = await open('root@pam', { interfaces, topology });
    await tabs.tab('Interfaces');
    await tabs.text('1000 interfaces');
    assert.ok((await tabs.rows('pveCniNodeInterfaces')).length < 200, 'only what can be seen is in the page');
    await tabs.page.getByLabel('Search').fill('web-777');
    await tabs.text('1 of 1000 interfaces');
    await tabs.row('pveCniNodeInterfaces', '1777');
    await tabs.tab('Topology');
    await tabs.text(/1000 interfaces: 10 failed, 990 OK/);
    assert.equal(await tabs.page.locator('.pve-cni-kind-container').count(), 8, 'those that are not well');
    await tabs.page.locator('[data-key="fold:network:web"]').focus();
    await tabs.page.keyboard.press('Enter');
    await until('it unfolds', async () => (await tabs.page.locator('.pve-cni-kind-container').count()) === 300, 40);
  });
});

/** What the service would say if every string that comes from outside were markup. */

const peer = { kind: 'container', vmid: 100, name: markup, address: markup, port: 1 };
const hostileAnswers = {
  status: {
    ...{ version: markup, containers: { managed: 1, running: 1, degraded: 0 }, root: { path: markup, available: false, writable: false } },
    ...{ problems: [{ file: markup, lastGoodServes: false, error: said }], notices: [markup] },
    debts: [{ id: 1, vmid: 100, ifname: markup, network: markup, attempts: 1, since: markup, nextTryAt: markup, reason: said }],
  },
  doctor: { ok: false, checks: [{ name: markup, state: 'bad', message: markup, cure: markup }] },
  cilium: { state: 'degraded', agent: null, differences: [{ what: markup }] },
  networks: [
    {
      ...{ name: markup, type: markup, state: markup, bridge: markup, subnets: [{ cidr: markup }], containers: [] },
      ...{ warnings: [markup], problem: said },
    },
  ],
  gc: { dryRun: true, leaks: [{ kind: markup, what: markup, why: markup, vmid: null, network: markup }] },
  interfaces: [
    {
      ...{ vmid: 100, container: markup, running: true, ifname: markup, network: markup, type: markup, state: markup, message: markup },
      ...{ addresses: [markup], mac: markup, mtu: 1500, hostIfname: markup, since: markup, traffic: null },
    },
  ],
  topology: {
    nodes: [
      { id: markup, kind: 'network', name: markup, state: 'critical', detail: markup, network: markup },
      { id: `c${markup}`, kind: 'container', name: markup, state: markup, detail: markup, vmid: 100 },
    ],
    edges: [{ from: `c${markup}`, to: markup, label: markup, state: markup }],
  },
  flows: {
    flows: [
      {
        ...{ id: 1, time: markup, verdict: markup, protocol: markup, from: peer, to: { ...peer, vmid: null } },
        ...{ reason: markup, policies: [markup], detail: markup },
      },
    ],
    next: null,
    losses: [{ place: markup, count: null }],
  },
};
