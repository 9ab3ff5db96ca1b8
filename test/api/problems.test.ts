import assert from 'node:assert/strict';
import { errorCodes } from '../../src/model/error-codes.ts';
import { failure } from '../../src/model/errors.ts';
import { fixedManager } from './fixed-manager.ts';
import { call, problemIn, startServer, type TestServer } from './server.ts';

const json = { 'Content-Type': 'application/json' };

/** Requests that are refused before the manager hears of them. */
const refused: {
  name: string;
  method: string;
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
  code: string;
  says: RegExp;
}[] = [
  { name: 'an unknown path', method: 'GET', path: '/v2/status', code: 'NOT_FOUND', says: /\/v2\/status/ },
  { name: 'another spelling of a path', method: 'GET', path: '/V1/status/', code: 'NOT_FOUND', says: /nothing is served/ },
  { name: 'a method that the path does not know', method: 'PUT', path: '/v1/status', code: 'METHOD_NOT_ALLOWED', says: /GET/ },
  { name: 'a body that is not JSON', method: 'POST', path: '/v1/gc', body: '{"dryRun":', code: 'REQUEST_INVALID', says: /JSON/ },
  { name: 'a body that is no object', method: 'POST', path: '/v1/gc', body: '"x"', code: 'REQUEST_INVALID', says: /JSON|object/ },
  { name: 'an unknown key', method: 'POST', path: '/v1/gc', body: { dryrun: true }, code: 'REQUEST_INVALID', says: /dryrun/ },
  { name: 'an unknown query', method: 'GET', path: '/v1/addresses?net=web', code: 'REQUEST_INVALID', says: /net/ },
  { name: 'a query given twice', method: 'GET', path: '/v1/addresses?network=a&network=b', code: 'REQUEST_INVALID', says: /network/ },
  {
    name: 'a vmid without its ifname',
    method: 'GET',
    path: '/v1/networks/web/conflist?vmid=101',
    code: 'REQUEST_INVALID',
    says: /together/,
  },
  {
    name: 'an unknown phase',
    method: 'POST',
    path: '/v1/hooks/boot',
    body: { vmid: 101 },
    code: 'REQUEST_INVALID',
    says: /phase.*pre-start/,
  },
  { name: 'a hook without vmid', method: 'POST', path: '/v1/hooks/stop', body: {}, code: 'REQUEST_INVALID', says: /vmid/ },
  { name: 'a body where none belongs', method: 'POST', path: '/v1/reload', body: { now: true }, code: 'REQUEST_INVALID', says: /now/ },
  {
    name: 'a body of another type',
    method: 'POST',
    path: '/v1/gc',
    body: 'dryRun=1',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    code: 'MEDIA_TYPE_UNSUPPORTED',
    says: /x-www-form-urlencoded/,
  },
  {
    name: 'a compressed body',
    method: 'POST',
    path: '/v1/gc',
    body: 'x',
    headers: { ...json, 'Content-Encoding': 'gzip' },
    code: 'MEDIA_TYPE_UNSUPPORTED',
    says: /encoding/,
  },
  {
    name: 'a body of more than 64 KiB',
    method: 'POST',
    path: '/v1/gc',
    body: JSON.stringify({ x: 'x'.repeat(65536) }),
    code: 'CONFIG_TOO_LARGE',
    says: /64 KiB/,
  },
  {
    name: 'a key whose effect is not built yet',
    method: 'POST',
    path: '/v1/containers/101/interfaces',
    body: { interface: { name: 'eth0', network: 'web', ports: [] } },
    code: 'UNSUPPORTED',
    says: /interface\.ports.*not supported yet/,
  },
  {
    name: 'an address that is none',
    method: 'POST',
    path: '/v1/containers/101/interfaces',
    body: { interface: { name: 'eth0', network: 'web', address: ['10.0.0.999'] } },
    code: 'REQUEST_INVALID',
    says: /interface\.address\.0: must be an IPv4 or IPv6 address/,
  },
];

describe('problems', () => {
  let running: TestServer;
  let thrown: unknown;
  before(async () => {
    running = await startServer({
      manager: fixedManager([], { status: () => Promise.reject(thrown), hook: () => Promise.reject(thrown) }),
    });
  });
  after(() => running.close());

  for (const { name, method, path, code, says, ...request } of refused)
    it(`refuses ${name}: ${code}`, async () => {
      const problem = problemIn(await call(running, method, path, request));
      assert.equal(problem.code, code);
      assert.match(problem.detail, says);
      assert.ok(problem.cure);
    });

  it('names the methods that a path knows', async () => {
    const { headers } = await call(running, 'PATCH', '/v1/networks');
    assert.equal(headers.allow, 'GET, HEAD');
  });

  for (const [code, row] of Object.entries(errorCodes))
    it(`answers ${code} of the manager with status ${row.status}, cause and cure`, async () => {
      thrown = failure(code as keyof typeof errorCodes, 'cannot do it', { vmid: 101, operation: 'op-9' });
      const reply = await call(running, 'GET', '/v1/status');
      assert.deepEqual(problemIn(reply), {
        type: `errors.md#${code}`,
        title: row.cause,
        status: row.status,
        detail: 'cannot do it',
        code,
        class: row.class,
        retryable: row.retryable,
        cure: row.cure,
        operation: 'op-9',
        context: { vmid: 101, operation: 'op-9' },
      });
    });

  it('tells hooks to repeat only what the next process can answer, never a refusal', async () => {
    thrown = failure('CONFIG_UNAVAILABLE', 'the root is not quorate');
    const reply = await call(running, 'GET', '/v1/status');
    assert.equal(reply.status, 503);
    assert.equal(reply.headers['retry-after'], undefined);
  });

  it('shows an unknown exception as INTERNAL without its stack, and logs it', async () => {
    thrown = new TypeError('x is not a function');
    const reply = await call(running, 'GET', '/v1/status');
    assert.equal(problemIn(reply).code, 'INTERNAL');
    assert.doesNotMatch(reply.text, /\.ts|at /);
    assert.equal((running.logged.at(-1) as { err: unknown }).err, thrown);
  });

  it('answers an error in one line of text when text is asked for', async () => {
    thrown = failure('NETWORK_UNKNOWN', 'cannot attach eth0:\r\nno network "web"');
    const reply = await call(running, 'POST', '/v1/hooks/pre-start', { body: { vmid: 101 }, headers: { Accept: 'text/plain' } });
    assert.equal(reply.status, 404);
    assert.equal(reply.text, 'cannot attach eth0: no network "web"\n');
  });

  it('A17 a secret in the context or a URL of an error: redacted in the answer', async () => {
    thrown = failure('CNI_PLUGIN_FAILED', 'cannot reach https://admin:hunter2@etcd/', { cniError: { details: { password: 'hunter2' } } });
    const { text } = await call(running, 'GET', '/v1/status');
    assert.doesNotMatch(text, /hunter2/);
  });
});
