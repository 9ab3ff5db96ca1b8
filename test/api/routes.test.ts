import assert from 'node:assert/strict';
import { openApiDocument } from '../../src/http/openapi.ts';
import { routes } from '../../src/http/routes.ts';
import { call, startServer, type TestServer } from './server.ts';

const root = { door: 'api', user: 'root' };
const check = { repair: true };
const digest = 'da39a3ee5e6b4b0d3255bfef95601890afd80709';
const relabelled = { set: { app: 'web' }, remove: ['tier'] };
const wanted = { interface: { name: 'eth1', network: 'lan', address: ['10.20.0.50'] }, onFailure: 'start' };

/** One request for each route, and what the manager must be asked. */
const cases: { route: string; path: string; body?: object; asked: unknown[] | null }[] = [
  { route: 'post /v1/hooks/:phase', path: '/v1/hooks/pre-start', body: { vmid: 101 }, asked: ['hook', 'pre-start', { vmid: 101 }, root] },
  { route: 'get /v1/status', path: '/v1/status', asked: ['status'] },
  { route: 'get /v1/doctor', path: '/v1/doctor', asked: ['doctor'] },
  { route: 'post /v1/setup', path: '/v1/setup', body: { dryRun: true }, asked: ['setup', { dryRun: true }, root] },
  { route: 'post /v1/gc', path: '/v1/gc', asked: ['gc', { dryRun: false }, root] },
  { route: 'get /v1/configuration/check', path: '/v1/configuration/check', asked: ['checkConfiguration'] },
  { route: 'post /v1/reload', path: '/v1/reload', asked: ['reload', root] },
  { route: 'get /v1/networks', path: '/v1/networks', asked: ['networks'] },
  { route: 'get /v1/services', path: '/v1/services', asked: ['services'] },
  { route: 'get /v1/services/:name', path: '/v1/services/web', asked: ['service', 'web'] },
  { route: 'get /v1/networks/:name', path: '/v1/networks/web', asked: ['network', 'web'] },
  {
    route: 'get /v1/networks/:name/conflist',
    path: '/v1/networks/web/conflist?vmid=101&ifname=eth0',
    asked: ['conflist', 'web', { vmid: 101, ifname: 'eth0' }],
  },
  { route: 'post /v1/networks/:name/check', path: '/v1/networks/web/check', asked: ['checkNetwork', 'web'] },
  { route: 'get /v1/containers', path: '/v1/containers', asked: ['containers'] },
  { route: 'get /v1/containers/:vmid', path: '/v1/containers/101', asked: ['container', 101] },
  {
    route: 'post /v1/containers/:vmid/interfaces',
    path: '/v1/containers/101/interfaces',
    body: wanted,
    asked: ['attach', 101, wanted, root],
  },
  {
    route: 'delete /v1/containers/:vmid/interfaces/:ifname',
    path: '/v1/containers/101/interfaces/eth1',
    asked: ['detach', 101, 'eth1', root],
  },
  { route: 'post /v1/containers/:vmid/restore', path: '/v1/containers/101/restore', body: {}, asked: ['restore', 101, root] },
  {
    route: 'post /v1/containers/:vmid/labels',
    path: '/v1/containers/101/labels',
    body: relabelled,
    asked: ['label', 101, relabelled, root],
  },
  {
    route: 'post /v1/containers/:vmid/protect',
    path: '/v1/containers/101/protect',
    body: { ifname: 'eth1' },
    asked: ['protect', 101, 'eth1', root],
  },
  { route: 'post /v1/containers/:vmid/unprotect', path: '/v1/containers/101/unprotect', body: {}, asked: ['unprotect', 101, null, root] },
  { route: 'post /v1/containers/:vmid/check', path: '/v1/containers/101/check', body: check, asked: ['checkContainer', 101, check, root] },
  { route: 'get /v1/policies', path: '/v1/policies', asked: ['policies'] },
  { route: 'post /v1/policies', path: '/v1/policies', body: { text: 'kind: x' }, asked: ['applyPolicy', { text: 'kind: x' }, root] },
  { route: 'post /v1/policies/check', path: '/v1/policies/check', body: { text: 'kind: x' }, asked: ['checkPolicy', 'kind: x'] },
  { route: 'get /v1/policies/:name', path: '/v1/policies/default-deny', asked: ['policy', 'default-deny'] },
  { route: 'delete /v1/policies/:name', path: '/v1/policies/default-deny', asked: ['removePolicy', 'default-deny', root] },
  { route: 'get /v1/containers/:vmid/policy', path: '/v1/containers/101/policy', asked: ['containerPolicy', 101] },
  { route: 'get /v1/addresses', path: '/v1/addresses?network=web', asked: ['addresses', { network: 'web' }] },
  {
    route: 'put /v1/networks/:name',
    path: '/v1/networks/web',
    body: { text: 'type: bridge', digest, allowPlugins: false },
    asked: ['applyNetwork', 'web', { text: 'type: bridge', digest, allowPlugins: false }, root],
  },
  { route: 'delete /v1/networks/:name', path: '/v1/networks/web', asked: ['removeNetwork', 'web', root] },
  {
    route: 'put /v1/services/:name',
    path: '/v1/services/web',
    body: { text: 'address: x' },
    asked: ['applyService', 'web', { text: 'address: x' }, root],
  },
  { route: 'delete /v1/services/:name', path: '/v1/services/web', asked: ['removeService', 'web', root] },
  { route: 'get /v1/settings', path: '/v1/settings', asked: ['settings'] },
  { route: 'put /v1/settings', path: '/v1/settings', body: { text: '', digest }, asked: ['applySettings', { text: '', digest }, root] },
  {
    route: 'put /v1/containers/:vmid/interfaces/:ifname',
    path: '/v1/containers/101/interfaces/eth1',
    body: wanted,
    asked: ['change', 101, 'eth1', wanted, root],
  },
  { route: 'post /v1/policies/diff', path: '/v1/policies/diff', body: { text: 'kind: x' }, asked: ['diffPolicy', 'kind: x'] },
  {
    route: 'get /v1/policies/explain',
    path: '/v1/policies/explain?from=101&to=fd00::1&port=5432',
    asked: ['explain', { from: '101', to: 'fd00::1', port: 5432, protocol: 'tcp' }],
  },
  { route: 'get /v1/addresses/use', path: '/v1/addresses/use', asked: ['addressUse'] },
  { route: 'get /v1/interfaces', path: '/v1/interfaces', asked: ['interfaces'] },
  { route: 'get /v1/containers/:vmid/interfaces', path: '/v1/containers/101/interfaces', asked: ['containerInterfaces', 101] },
  { route: 'get /v1/topology', path: '/v1/topology', asked: ['topology'] },
  { route: 'get /v1/history', path: '/v1/history', asked: ['history', 'hour'] },
  {
    route: 'get /v1/containers/:vmid/history',
    path: '/v1/containers/101/history?timeframe=day&ifname=eth0',
    asked: ['containerHistory', 101, { timeframe: 'day', ifname: 'eth0' }],
  },
  { route: 'get /v1/cilium/status', path: '/v1/cilium/status', asked: ['ciliumStatus'] },
  { route: 'get /v1/cilium/preflight', path: '/v1/cilium/preflight', asked: ['ciliumPreflight'] },
  { route: 'get /v1/cilium/config', path: '/v1/cilium/config', asked: ['ciliumConfig'] },
  { route: 'post /v1/cilium/config', path: '/v1/cilium/config', body: {}, asked: ['writeCiliumConfig', root] },
  {
    route: 'post /v1/cilium/install',
    path: '/v1/cilium/install',
    body: { image: 'localhost:5000/cilium/cilium:v1.20.2' },
    asked: ['installCilium', { image: 'localhost:5000/cilium/cilium:v1.20.2', force: false }, root],
  },
  {
    route: 'post /v1/cilium/upgrade',
    path: '/v1/cilium/upgrade',
    body: { binaries: '/root/cilium', force: true },
    asked: ['upgradeCilium', { binaries: '/root/cilium', force: true }, root],
  },
  { route: 'post /v1/cilium/uninstall', path: '/v1/cilium/uninstall', body: {}, asked: ['uninstallCilium', { force: false }, root] },
  { route: 'post /v1/cilium/rotate-key', path: '/v1/cilium/rotate-key', body: {}, asked: ['rotateCiliumKey', { force: false }, root] },
  { route: 'get /v1/cilium/work', path: '/v1/cilium/work', asked: ['ciliumWork'] },
  {
    route: 'get /v1/operations',
    path: '/v1/operations?vmid=101&limit=5&before=op-9',
    asked: ['operations', { vmid: 101, limit: 5, before: 'op-9' }],
  },
  { route: 'get /v1/operations/:id', path: '/v1/operations/op-1', asked: ['operation', 'op-1'] },
  {
    route: 'get /v1/flows',
    path: '/v1/flows?container=web&verdict=dropped,audit&port=443&protocol=tcp&direction=ingress&since=2026-11-24T09:00:00Z&limit=5&before=90',
    asked: [
      'flows',
      {
        container: 'web',
        verdict: ['dropped', 'audit'],
        port: 443,
        protocol: 'tcp',
        direction: 'ingress',
        since: Date.parse('2026-11-24T09:00:00Z'),
      },
      { limit: 5, before: 90 },
    ],
  },
  {
    route: 'get /v1/flows/follow',
    path: '/v1/flows/follow?container=101&last=3',
    asked: ['followFlows', { container: '101' }, { last: 3 }],
  },
  { route: 'get /v1/cilium/maps', path: '/v1/cilium/maps', asked: ['ciliumMaps'] },
  { route: 'get /v1/cilium/maps/:kind', path: '/v1/cilium/maps/ct?vmid=101&limit=7', asked: ['ciliumMap', 'ct', { vmid: 101, limit: 7 }] },
  { route: 'get /v1/cilium/identities', path: '/v1/cilium/identities', asked: ['ciliumIdentities'] },
  { route: 'get /metrics', path: '/metrics', asked: null },
  { route: 'get /openapi.json', path: '/openapi.json', asked: null },
];

describe('the routes', () => {
  let running: TestServer;
  before(async () => {
    running = await startServer();
  });
  after(() => running.close());
  beforeEach(() => {
    running.calls.length = 0;
  });

  for (const { route, path, body, asked } of cases)
    it(`${route} asks the manager and answers in the shape that it promises`, async () => {
      const row = routes.find((one) => `${one.method} ${one.path}` === route);
      assert.ok(row, 'the table has the route');
      const reply = await call(running, row.method.toUpperCase(), path, body ? { body } : {});
      assert.equal(reply.status, 200, reply.text);
      if (row.media[0] === 'application/json') assert.deepEqual(row.answer.parse(reply.json), reply.json);
      assert.deepEqual(
        running.calls.map((one) => one.filter((argument) => !(argument instanceof AbortSignal))),
        asked ? [asked] : [],
      );
      assert.equal(reply.headers['x-powered-by'], undefined);
      assert.equal(reply.headers.etag, undefined);
    });

  it('has a case above for every row of the table', () => {
    assert.deepEqual(cases.map(({ route }) => route).sort(), routes.map(({ method, path }) => `${method} ${path}`).sort());
  });

  it('serves the OpenAPI document, which names every route and resolves every reference', async () => {
    const { json } = await call(running, 'GET', '/openapi.json');
    assert.deepEqual(json, JSON.parse(JSON.stringify(openApiDocument('1.2.3'))));
    const document = json as { paths: Record<string, object>; components: { schemas: Record<string, object> } };
    const named = Object.entries(document.paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`));
    assert.deepEqual(named.sort(), routes.map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`).sort());
    for (const [, name = ''] of JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g))
      assert.ok(name in document.components.schemas, name);
  });

  it('refuses to give an interface another name', async () => {
    const { status, json } = await call(running, 'PUT', '/v1/containers/101/interfaces/eth0', { body: wanted });
    assert.equal(status, 400);
    assert.match(JSON.stringify(json), /REQUEST_INVALID.*an interface keeps its name/);
    assert.deepEqual(running.calls, []);
  });

  for (const query of ['from=101&to=102', 'from=101&to=102&port=65536', 'from=web&to=102&port=1', 'to=102&port=1'])
    it(`refuses to explain ${query}`, async () => {
      const { status } = await call(running, 'GET', `/v1/policies/explain?${query}`);
      assert.equal(status, 400);
      assert.deepEqual(running.calls, []);
    });

  it('serves the metrics as Prometheus’ text', async () => {
    const { text, headers } = await call(running, 'GET', '/metrics');
    assert.equal(text, 'pve_cni_debts 0\n');
    assert.match(headers['content-type'] ?? '', /^text\/plain; version=0\.0\.4/);
  });

  it('answers a hook in text when text is asked for: the message, then the warnings', async () => {
    const { text, headers } = await call(running, 'POST', '/v1/hooks/start-host', {
      body: { vmid: 101, pid: 77 },
      headers: { Accept: 'text/plain' },
    });
    assert.equal(text, 'attached eth0 to web (10.20.0.10)\nwarning: eth1 is down\n');
    assert.match(headers['content-type'] ?? '', /^text\/plain/);
  });

  it('passes on who asked', async () => {
    const upid = 'UPID:node1:0000A1B2:0012D687:6745AF12:vzstart:101:ci@pve!token:';
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await call(running, 'POST', '/v1/reload', {
      headers: { 'X-PVE-CNI-Door': 'hookscript', 'X-PVE-CNI-User': 'ci@pve!token', 'X-PVE-CNI-UPID': upid, traceparent },
    });
    assert.deepEqual(running.calls, [['reload', { door: 'hookscript', user: 'ci@pve!token', upid, traceparent }]]);
  });

  it('ignores a malformed traceparent, as W3C Trace Context wants', async () => {
    await call(running, 'POST', '/v1/reload', { headers: { traceparent: '00-x-y-01' } });
    assert.deepEqual(running.calls, [['reload', root]]);
  });
});
