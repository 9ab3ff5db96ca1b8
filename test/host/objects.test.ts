import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import type { ContainerView, OperationView } from '../../src/model/api.ts';
import type { InterfaceStatus } from '../../src/model/panel-api.ts';
import type { Answer } from '../support/daemon.ts';
import type { Container } from '../support/lxc.ts';
import { until } from '../support/until.ts';
import { addressesInside, ping, useRig } from './lifecycle/rig.ts';

const webText = 'type: bridge\nsubnets: [{ cidr: 10.20.0.0/24, gateway: 10.20.0.1 }]\n';
const upid = 'UPID:node1:0000A1B2:0012D687:6745AF12:cniupdate:101:ci@pve!token:';

/** Changes of networks, services, settings and interfaces through the API, on real containers. */
describe('changes through the API', () => {
  const rig = useRig({
    scripted: ['broken'],
    files: { 'networks/web.yaml': webText, 'networks/lan.yaml': 'type: bridge\nsubnets: [{ cidr: 10.22.0.0/24, gateway: 10.22.0.1 }]\n' },
  });
  const api = (method: string, path: string, body?: object): Promise<Answer> =>
    rig.daemon.api(method, path, body, { 'X-PVE-CNI-Door': 'api', 'X-PVE-CNI-User': 'ci@pve!token', 'X-PVE-CNI-UPID': upid });
  const done = async (method: string, path: string, body?: object) => {
    const { status, body: answer } = await api(method, path, body);
    assert.equal(status, 200, JSON.stringify(answer));
    return answer;
  };
  const refused = async (expected: string, method: string, path: string, body?: object) => {
    const { status, body: answer } = await api(method, path, body);
    assert.equal(`${status} ${answer.code}`, expected, JSON.stringify(answer));
    return answer;
  };
  const text = (file: string) => (existsSync(`${rig.daemon.root}/${file}`) ? readFileSync(`${rig.daemon.root}/${file}`, 'utf8') : null);
  const audited = async (id: string): Promise<OperationView> => {
    const operation: OperationView = (await rig.daemon.api('GET', `/v1/operations/${id}`)).body;
    assert.deepEqual([operation.kind, operation.door, operation.user, operation.upid], ['configure', 'api', 'ci@pve!token', upid]);
    return operation;
  };

  describe('of networks', () => {
    const db = 'type: bridge\nbridge: { name: db0 }\nsubnets: [{ cidr: 10.23.0.0/24, gateway: 10.23.0.1 }]\n';
    after(() => rig.daemon.remove('networks/db.yaml'));

    it('a new one is written as it is, comes to be on the node, and is in the audit log with who asked and for which task', async () => {
      const receipt = await done('PUT', '/v1/networks/db', { text: db });
      assert.equal(text('networks/db.yaml'), db);
      await until('its bridge is there', async () => (await rig.daemon.api('GET', '/v1/networks/db')).body.state === 'ready', 30);
      const shown = (await rig.daemon.api('GET', '/v1/networks/db')).body;
      assert.deepEqual([shown.text, shown.digest], [db, receipt.digest]);
      const { network, before, after, outcome } = await audited(receipt.operation);
      assert.deepEqual([network, before, after, outcome], ['db', null, db, 'ok']);
    });

    it('a change names the digest of what was read, and is refused when somebody else was quicker', async () => {
      const { digest } = (await rig.daemon.api('GET', '/v1/networks/db')).body;
      const changed = db.replace('}]', ', range: 10.23.0.50-10.23.0.60 }]');
      await done('PUT', '/v1/networks/db', { text: changed, digest });
      const answer = await refused('409 CONFLICT', 'PUT', '/v1/networks/db', { text: db, digest });
      assert.match(answer.detail, /changed by somebody else/);
      assert.equal(text('networks/db.yaml'), changed);
    });

    it('a text that would not serve is refused with everything that is wrong, and nothing is written', async () => {
      const before = text('networks/db.yaml');
      const wrong = 'type: bridge\nsubnets: [{ cidr: 10.20.0.0/24 }]\nnat: maybe\nbirdge: {}\n';
      const { context } = await refused('400 CONFIG_INVALID', 'PUT', '/v1/networks/db', { text: wrong });
      assert.equal(context.issues.length, 2, JSON.stringify(context.issues));
      for (const field of ['nat', 'birdge'])
        assert.ok(
          context.issues.some((issue: string) => issue.startsWith(field)),
          context.issues.join(),
        );
      const overlap = await refused('400 CONFIG_INVALID', 'PUT', '/v1/networks/db', {
        text: 'type: bridge\nsubnets: [{ cidr: 10.20.0.0/25 }]\n',
      });
      assert.match(overlap.detail, /overlaps .* networks\/web\.yaml/);
      await refused('400 CONFIG_SYNTAX', 'PUT', '/v1/networks/db', { text: 'type: [' });
      await refused('422 UNSUPPORTED', 'PUT', '/v1/networks/db', { text: 'type: flannel\n' });
      assert.equal(text('networks/db.yaml'), before);
      assert.deepEqual(
        readdirSync(`${rig.daemon.root}/networks`).filter((name) => name.endsWith('.tmp')),
        [],
      );
    });

    it('one that others would not go with any more is refused, naming them', async () => {
      const container = await rig.container({ interfaces: [{ name: 'eth0', network: 'lan', address: ['10.22.0.9'] }] });
      const moved = 'type: bridge\nsubnets: [{ cidr: 10.24.0.0/24, gateway: 10.24.0.1 }]\n';
      const answer = await refused('400 CONFIG_INVALID', 'PUT', '/v1/networks/lan', { text: moved });
      assert.match(answer.detail, new RegExp(`containers/${container.vmid}.yaml.*10\\.22\\.0\\.9`));
    });

    it('one that is in use is not removed, and its users are named; one that is not goes with its bridge', async () => {
      const container = await rig.container({ interfaces: [{ name: 'eth0', network: 'db' }] });
      const answer = await refused('409 NETWORK_IN_USE', 'DELETE', '/v1/networks/db');
      assert.match(answer.detail, new RegExp(`container ${container.vmid} is on it`));
      assert.notEqual(text('networks/db.yaml'), null);
      rig.daemon.remove(`containers/${container.vmid}.yaml`);
      await rig.daemon.reconciled();
      const { operation } = await done('DELETE', '/v1/networks/db');
      assert.equal((await audited(operation)).after, null);
      assert.equal(text('networks/db.yaml'), null);
      assert.ok(readdirSync(`${rig.daemon.root}/archive`).some((name) => /^db-.*\.yaml$/.test(name)));
      await until('its bridge is gone', () => !existsSync('/sys/class/net/db0'), 30);
      await refused('404 NETWORK_UNKNOWN', 'DELETE', '/v1/networks/db');
    });

    it('a text of CNI names plugins, which not everybody may, whatever it looks like', async () => {
      const conflist = JSON.stringify({ cniVersion: '1.0.0', name: 'raw', plugins: [{ type: 'loopback' }] });
      for (const given of [conflist, ` \n${conflist}`, conflist.replace('"plugins":[{', '').replace('}]', '')])
        await refused('403 PLUGIN_NOT_ALLOWED', 'PUT', '/v1/networks/raw', { text: given, allowPlugins: false });
      // a byte order mark makes it YAML, which has no plugins
      await refused('400 CONFIG_INVALID', 'PUT', '/v1/networks/raw', { text: `\uFEFF${conflist}`, allowPlugins: false });
      const other = await refused('400 CONFIG_INVALID', 'PUT', '/v1/networks/other', { text: conflist });
      assert.match(other.detail, /name must be other/);
      assert.deepEqual((await done('PUT', '/v1/networks/raw', { text: conflist })).file, 'networks/raw.conflist');
      assert.equal((await rig.daemon.api('GET', '/v1/networks/raw')).body.type, 'cni');
      await refused('403 PLUGIN_NOT_ALLOWED', 'PUT', '/v1/networks/raw', { text: webText, allowPlugins: false });
      await done('DELETE', '/v1/networks/raw');
    });
  });

  it('services are written, shown with their text, and removed', async () => {
    const service = 'address: 10.96.0.10\nports: [{ port: 80 }]\nbackends: { matchLabels: { app: web } }\n';
    const { operation, digest } = await done('PUT', '/v1/services/shop', { text: service });
    assert.equal((await audited(operation)).after, service);
    const shown = (await rig.daemon.api('GET', '/v1/services/shop')).body;
    assert.deepEqual([shown.text, shown.digest, shown.address], [service, digest, '10.96.0.10']);
    const taken = await refused('400 CONFIG_INVALID', 'PUT', '/v1/services/other', { text: service });
    assert.match(taken.detail, /address of services\/shop\.yaml/);
    await refused('400 CONFIG_INVALID', 'PUT', '/v1/services/shop', { text: service.replace('10.96.0.10', '10.20.0.77'), digest });
    await done('DELETE', '/v1/services/shop');
    assert.equal(text('services/shop.yaml'), null);
    await refused('404 SERVICE_UNKNOWN', 'DELETE', '/v1/services/shop');
  });

  it('settings are written, and serve at once', async () => {
    const { text: before, digest, settings } = (await rig.daemon.api('GET', '/v1/settings')).body;
    assert.deepEqual([before, settings.releaseAfterHours], ['releaseAfterHours: 0\n', 0]);
    const { operation } = await done('PUT', '/v1/settings', { text: `${before}identityTags: [web]\n`, digest });
    assert.equal((await audited(operation)).before, before);
    assert.deepEqual((await rig.daemon.api('GET', '/v1/settings')).body.settings.identityTags, ['web']);
    await refused('400 CONFIG_INVALID', 'PUT', '/v1/settings', { text: 'releaseAfterHours: -1\n' });
    await done('PUT', '/v1/settings', { text: before });
  });

  it('a policy’s difference says whom it would be about, and where nothing would enforce it; nothing is written', async () => {
    const container = await rig.container();
    const policy = (labels: string) =>
      `apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: { name: shut }\nspec:\n  endpointSelector: { matchLabels: { ${labels} } }\n  ingress: [{}]\n`;
    const all = policy('type: container');
    const fresh = await done('POST', '/v1/policies/diff', { text: all });
    assert.deepEqual([fresh.name, fresh.before, fresh.selects], ['shut', null, { before: [], after: [container.vmid] }]);
    assert.match(fresh.findings[0].message, new RegExp(`not be enforced at eth0 of container ${container.vmid}`));
    assert.equal(text('policies/shut.yaml'), null);

    await done('POST', '/v1/policies', { text: all });
    const { digest } = (await rig.daemon.api('GET', '/v1/policies/shut')).body;
    await done('POST', '/v1/policies', { text: `${all}# mine\n`, digest });
    await refused('409 CONFLICT', 'POST', '/v1/policies', { text: all, digest });
    await done('POST', '/v1/policies', { text: all });
    const { diff, selects } = await done('POST', '/v1/policies/diff', { text: policy('app: none') });
    assert.match(diff, /^--- policies\/shut\.yaml\n\+\+\+ policies\/shut\.yaml\n@@ [^\n]*\n(.*\n)*-.*type: container.*\n\+.*app: none/m);
    assert.deepEqual(selects, { before: [container.vmid], after: [] });
    const wrong = await done('POST', '/v1/policies/diff', { text: all.replace('ingress: [{}]', 'ingres: [{}]') });
    assert.ok(wrong.findings.length > 0 && wrong.selects.after.length === 0, JSON.stringify(wrong));

    const question = `from=192.0.2.1&to=${container.vmid}&port=80`;
    const answer = (await rig.daemon.api('GET', `/v1/policies/explain?${question}`)).body;
    assert.deepEqual([answer.verdict, answer.enforced, answer.by.policy], ['deny', false, 'shut']);
    await container.start();
    const [own = ''] = (await rig.show(container)).interfaces.flatMap(({ addresses }) => addresses);
    const byAddress = (await rig.daemon.api('GET', `/v1/policies/explain?from=world&to=${own}&port=80`)).body;
    assert.match(byAddress.sentence, new RegExp(`^the world may not reach container ${container.vmid} at tcp/80: policy shut closes`));
    assert.equal((await rig.daemon.api('GET', '/v1/policies/explain?from=world&to=192.0.2.1&port=80')).body.code, 'REQUEST_INVALID');
    assert.equal((await rig.daemon.api('GET', '/v1/policies/explain?from=world&to=999999999&port=80')).body.code, 'CONTAINER_UNKNOWN');
    await done('DELETE', '/v1/policies/shut');
  });

  it('nothing is written while the root is not there', async () => {
    const away = `${rig.daemon.root}.away`;
    renameSync(rig.daemon.root, away);
    try {
      for (const [method, path, body] of [
        ['PUT', '/v1/networks/web', { text: webText }],
        ['DELETE', '/v1/networks/web'],
        ['PUT', '/v1/services/shop', { text: 'address: 10.96.0.10\nports: [{ port: 80 }]\nbackends: { matchLabels: { app: web } }\n' }],
        ['PUT', '/v1/settings', { text: '' }],
      ] as const)
        await refused('503 CONFIG_UNAVAILABLE', method, path, body);
      const shown = (await rig.daemon.api('GET', '/v1/networks/web')).body;
      assert.deepEqual([shown.text, shown.digest, shown.name], [null, null, 'web'], 'what served serves on');
    } finally {
      renameSync(away, rig.daemon.root);
    }
    await rig.daemon.reconciled();
  });

  describe('of an interface', () => {
    const path = ({ vmid }: Container, ifname = 'eth0') => `/v1/containers/${vmid}/interfaces/${ifname}`;
    const routes = (container: Container) => container.exec(['ip', 'route']);
    const statuses = async ({ vmid }: Container): Promise<InterfaceStatus[]> =>
      (await rig.daemon.api('GET', `/v1/containers/${vmid}/interfaces`)).body;
    const held = async ({ vmid }: Container): Promise<string[]> =>
      (await rig.daemon.api('GET', '/v1/addresses')).body
        .filter((one: { vmid: number }) => one.vmid === vmid)
        .map((one: { address: string }) => one.address);

    it('a running container has its new address and network at once, and gives back what it had', async () => {
      const container = await rig.container();
      await container.start();
      const fixed = await done('PUT', path(container), { interface: { name: 'eth0', network: 'web', address: ['10.20.0.77'] } });
      assert.match(fixed.message, /is changed now/);
      assert.deepEqual(await addressesInside(container), ['10.20.0.77']);
      assert.deepEqual(await held(container), ['10.20.0.77']);
      await ping(container, '10.20.0.1');
      const { operation } = await done('PUT', path(container), { interface: { name: 'eth0', network: 'lan' } });
      assert.match((await audited(operation)).after ?? '', /network: lan/);
      assert.match((await addressesInside(container)).join(), /^10\.22\.0\./);
      assert.equal((await held(container)).length, 1);
      await ping(container, '10.22.0.1');
    });

    it('the default route moves from one interface to the other', async () => {
      const container = await rig.container({
        interfaces: [
          { name: 'eth0', network: 'web' },
          { name: 'eth1', network: 'lan' },
        ],
      });
      await container.start();
      assert.match(await routes(container), /default via 10\.20\.0\.1 dev eth0/);
      await done('PUT', path(container, 'eth1'), { interface: { name: 'eth1', network: 'lan', defaultRoute: true } });
      assert.match(await routes(container), /default via 10\.22\.0\.1 dev eth1/);
      assert.doesNotMatch(await routes(container), /default.*eth0/);
      assert.deepEqual(
        (await statuses(container)).map(({ ifname, defaultRoute, state }) => [ifname, defaultRoute, state]),
        [
          ['eth0', false, 'attached'],
          ['eth1', true, 'attached'],
        ],
      );
    });

    it('a stopped container has it at its next start', async () => {
      const container = await rig.container();
      const { message } = await done('PUT', path(container), {
        interface: { name: 'eth0', network: 'lan', address: ['10.22.0.88'] },
        onFailure: 'start',
      });
      assert.match(message, /at its next start/);
      const view: ContainerView = await rig.show(container);
      assert.equal(view.onFailure, 'start');
      await container.start();
      assert.deepEqual(await addressesInside(container), ['10.22.0.88']);
    });

    it('what cannot work is refused, and the container is as it was', async () => {
      const [one, other] = [await rig.container(), await rig.container()];
      await one.start();
      const before = await addressesInside(one);
      const [taken = ''] = await until('the other has its address', async () => ((await held(other)).length > 0 ? held(other) : null), 30);
      const file = text(`containers/${one.vmid}.yaml`);
      await refused('409 IPAM_ADDRESS_TAKEN', 'PUT', path(one), { interface: { name: 'eth0', network: 'web', address: [taken] } });
      await refused('404 NETWORK_UNKNOWN', 'PUT', path(one), { interface: { name: 'eth0', network: 'nowhere' } });
      await refused('404 INTERFACE_UNKNOWN', 'PUT', path(one, 'eth7'), { interface: { name: 'eth7', network: 'web' } });
      assert.equal(text(`containers/${one.vmid}.yaml`), file);
      assert.deepEqual(await addressesInside(one), before);
      assert.deepEqual(await held(one), before);
    });

    it('a plugin that fails leaves the running container where it was', async () => {
      rig.daemon.write('networks/broken.conflist', JSON.stringify({ cniVersion: '1.0.0', name: 'broken', plugins: [{ type: 'broken' }] }));
      rig.plugins.script('broken', 'ADD', ['exit 1'], '{"cniVersion":"1.0.0","code":11,"msg":"no more tags"}');
      const container = await rig.container();
      await container.start();
      const before = await addressesInside(container);
      const answer = await refused('502 CNI_PLUGIN_FAILED', 'PUT', path(container), { interface: { name: 'eth0', network: 'broken' } });
      assert.match(answer.detail, /no more tags/);
      assert.deepEqual([await addressesInside(container), await held(container)], [before, before]);
      await ping(container, '10.20.0.1');
      assert.equal((await statuses(container))[0]?.state, 'attached');
      assert.match(text(`containers/${container.vmid}.yaml`) ?? '', /network: web/);
      await done('DELETE', '/v1/networks/broken');
    });
  });
});
