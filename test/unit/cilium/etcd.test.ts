import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { createEtcd } from '../../../src/cilium/etcd.ts';
import { type EtcdServer, needsEtcd, startEtcd } from '../../support/etcd.ts';
import { freePort } from '../../support/free-port.ts';

describe('etcd', function () {
  this.timeout(30_000);
  let server: EtcdServer;
  before(async function () {
    needsEtcd(this);
    server = await startEtcd();
  });
  after(() => server?.destroy());
  const client = (...endpoints: string[]) => createEtcd({ endpoints, timeoutMs: 1000 });

  it('lists what is below a prefix, whole, and nothing beside it', async () => {
    const odd = 'a/\u00ff\u0001;x=\u00fc';
    for (const key of ['a/1', odd, 'a0', 'a', 'b/1']) await server.put(key, `of ${key}`);
    const { keys } = await client(server.endpoint).list('a/');
    assert.deepEqual(
      keys.map(({ key, value }) => [key, value]),
      [
        ['a/1', 'of a/1'],
        [odd, `of ${odd}`],
      ],
    );
    assert.match(keys[0]?.modRevision ?? '', /^\d+$/);
  });

  it('lists thousands of keys as they were at one revision', async () => {
    await Promise.all(Array.from({ length: 2500 }, (_, n) => server.put(`many/${n}`, 'old')));
    const { revision } = await client(server.endpoint).list('nothing/');
    await server.put('many/7', 'new');
    await server.put('many/later', 'new');
    const { keys } = await client(server.endpoint).list('many/', { revision });
    assert.equal(keys.length, 2500);
    assert.ok(keys.every(({ value }) => value === 'old'));
    assert.equal((await client(server.endpoint).list('many/')).keys.length, 2501);
  });

  describe('deletes a key only', () => {
    const etcd = () => client(server.endpoint);
    const there = async () => (await etcd().list('d/')).keys.length === 1;
    const revision = async () => (await etcd().list('d/')).keys[0]?.modRevision ?? '';
    beforeEach(async () => {
      for (const key of ['u/1', 'u/2', 'd/key']) await server.remove(key);
      await server.put('d/key', 'x');
    });

    it('when it is as it was seen', async () => {
      const modRevision = await revision();
      await server.put('d/key', 'x');
      assert.equal(await etcd().deleteIf('d/key', [{ key: 'd/key', modRevision }]), false);
      assert.equal(await there(), true);
      assert.equal(await etcd().deleteIf('d/key', [{ key: 'd/key', modRevision: await revision() }]), true);
      assert.equal(await there(), false);
      assert.equal(await etcd().deleteIf('d/key', [{ key: 'd/key', modRevision }]), false);
    });

    it('when nothing is below a prefix', async () => {
      await server.put('u/1', 'y');
      assert.equal(await etcd().deleteIf('d/key', [{ prefix: 'u/', is: 'empty' }]), false);
      await server.remove('u/1');
      assert.equal(await etcd().deleteIf('d/key', [{ prefix: 'u/', is: 'empty' }]), true);
    });

    it('when what is below a prefix has another value, and something is', async () => {
      const without = [{ prefix: 'u/', is: 'without' as const, value: '42' }];
      assert.equal(await etcd().deleteIf('d/key', without), false);
      await server.put('u/1', '43');
      await server.put('u/2', '42');
      assert.equal(await etcd().deleteIf('d/key', without), false);
      await server.put('u/2', '44');
      assert.equal(await etcd().deleteIf('d/key', without), true);
    });
  });

  it('is asked at the next endpoint when one does not answer, hangs or is none', async () => {
    const others = await Promise.all([listen((_, answer) => answer.writeHead(503).end('{"message":"no leader"}')), listen(() => {})]);
    await server.put('a/1', 'x');
    const etcd = client(`http://127.0.0.1:${await freePort()}`, ...others.map(({ endpoint }) => endpoint), server.endpoint);
    assert.ok((await etcd.list('a/')).keys.length > 0);
    const begin = performance.now();
    await etcd.list('a/');
    assert.ok(performance.now() - begin < 900, 'the one that answered is asked first');
    for (const { close } of others) close();
  });

  it('that answers nowhere is named with all endpoints and reasons, in bounded time', async () => {
    const dead = `http://127.0.0.1:${await freePort()}`;
    const hangs = await listen(() => {});
    await assert.rejects(client(dead, hangs.endpoint).list('a/'), {
      code: 'CILIUM_ETCD_UNAVAILABLE',
      message: new RegExp(`${dead}.*ECONNREFUSED.*${hangs.endpoint}: no answer in 1000 ms`),
    });
    hangs.close();
  });

  for (const [what, text] of [
    ['no JSON', '<html>'],
    ['another shape', '{"header":{"revision":"1"},"kvs":[{"key":7}]}'],
    ['keys that are no base64', '{"header":{"revision":"1"},"kvs":[{"key":"§","mod_revision":"1"}]}'],
  ] as const)
    it(`that answers ${what} is named as unknown`, async () => {
      const other = await listen((_, answer) => answer.end(text));
      await assert.rejects(client(other.endpoint).list('a/'), { code: 'CILIUM_ETCD_FAILED', message: /3\.4 or 3\.5/ });
      other.close();
    });

  it('that answers without an end is left', async () => {
    const other = await listen((_, answer) => {
      const chunk = Buffer.alloc(1024 * 1024, 'x');
      const more = () => {
        while (!answer.destroyed && answer.write(chunk)) {}
      };
      answer.on('drain', more);
      more();
    });
    await assert.rejects(createEtcd({ endpoints: [other.endpoint] }).list('a/'), { code: 'CILIUM_ETCD_UNAVAILABLE', message: /more than/ });
    other.close();
  });
});

describe('etcd with TLS', function () {
  this.timeout(30_000);
  let server: EtcdServer;
  before(async function () {
    needsEtcd(this);
    server = await startEtcd({ tls: true });
  });
  after(() => server?.destroy());

  it('is asked with our certificate, and checked by its authority', async () => {
    await server.put('a/1', 'x');
    const etcd = createEtcd({ endpoints: [server.endpoint], ...server.files });
    assert.deepEqual(
      (await etcd.list('a/')).keys.map(({ value }) => value),
      ['x'],
    );
  });

  it('refuses who has no certificate, and is refused without its authority', async () => {
    const { caFile } = server.files ?? {};
    await assert.rejects(createEtcd({ endpoints: [server.endpoint], caFile }).list('a/'), { code: 'CILIUM_ETCD_UNAVAILABLE' });
    const { certFile, keyFile } = server.files ?? {};
    await assert.rejects(createEtcd({ endpoints: [server.endpoint], certFile, keyFile }).list('a/'), {
      code: 'CILIUM_ETCD_UNAVAILABLE',
      message: /certificate/,
    });
  });
});

async function listen(handle: Parameters<typeof createServer>[1]): Promise<{ endpoint: string; close(): void }> {
  const port = await freePort();
  const server: Server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
