// Proxmox's API is a stand-in: test/support/proxmox-api.ts.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readTextUpTo, writeDurably } from '../../../src/host/files.ts';
import { createProxmoxApi } from '../../../src/proxmox/api.ts';
import { apiTokenId, createTokenFile } from '../../../src/proxmox/api-token.ts';
import { freePort } from '../../support/free-port.ts';
import { type FakeApi, installCertificate, type Mood, makeCertificate, startFakeApi } from '../../support/proxmox-api.ts';
import { createProxmoxFolder } from '../../support/proxmox-folder.ts';

const secret = '12345678-1234-1234-1234-1234567890ab';

describe('Proxmox’s API', () => {
  let dir: string;
  let pveDir: string;
  let fake: FakeApi;
  const token = () => createTokenFile({ pveDir, readText: readTextUpTo, write: writeDurably });
  const api = (options: { port?: number; timeoutMs?: number; maxBytes?: number } = {}) =>
    createProxmoxApi({ host: '127.0.0.1', port: fake.port, token: token(), pveDir, readText: readTextUpTo, ...options });

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'pve-cni-api-'));
    pveDir = join(dir, 'pve');
    createProxmoxFolder(pveDir, 'pve1');
    mkdirSync(join(pveDir, 'priv'));
    fake = await startFakeApi(join(dir, 'tls'));
  });
  beforeEach(async () => {
    installCertificate(pveDir, 'pve1', fake.certificate);
    rmSync(join(pveDir, 'nodes/pve1/pveproxy-ssl.pem'), { force: true });
    await token().write({ id: apiTokenId, secret });
    fake.tokens.set(apiTokenId, secret);
    fake.asked.length = 0;
    fake.mood = 'well';
  });
  after(async () => {
    await fake?.close();
    rmSync(dir, { recursive: true });
  });

  it('says where containers run and what the high-availability manager is about, and nothing of virtual machines', async () => {
    fake.guests = [
      { id: 'lxc/101', vmid: 101, type: 'lxc', node: 'pve2', status: 'running', hastate: 'started', pool: 'prod', maxmem: 5 },
      { id: 'lxc/102', vmid: '102', type: 'lxc', node: 'pve3', status: 'frozen' },
      { id: 'qemu/103', vmid: 103, type: 'qemu', node: 'pve1', status: 'running' },
    ];
    assert.deepEqual(await api().containers(), [
      { vmid: 101, node: 'pve2', status: 'running', ha: 'started', pool: 'prod' },
      { vmid: 102, node: 'pve3', status: 'unknown', ha: null, pool: null },
    ]);
    assert.deepEqual(fake.asked, [`GET /api2/json/cluster/resources?type=vm ${apiTokenId}`]);
  });

  it('is not asked where there is no token', async () => {
    rmSync(join(pveDir, 'priv/cni'), { recursive: true });
    assert.equal(await api().containers(), null);
    assert.deepEqual(fake.asked, []);
  });

  it('refuses a token that expired or was removed: the cure is setup, and the secret is in no message', async () => {
    fake.tokens.clear();
    await assert.rejects(api().containers(), (error: Error & { code: string; cause: unknown }) => {
      assert.equal(error.code, 'PROXMOX_TOKEN_REFUSED');
      assert.match(error.message, /refused our token \(401 Authentication failed!\).*run pve-cni setup/);
      assert.ok(!JSON.stringify([error.message, String(error.cause), { ...error }]).includes(secret));
      return true;
    });
  });

  const failures: [Mood, string, RegExp][] = [
    ['forbidden', 'PROXMOX_TOKEN_REFUSED', /may not \(403 Permission check failed \(\/vms, VM\.Audit\)\); run pve-cni setup/],
    ['node down', 'PROXMOX_API_UNAVAILABLE', /a node does not answer it \(595 Connection refused\)/],
    ['broken', 'PROXMOX_API_UNAVAILABLE', /it answered 500 got no worker/],
    ['silent', 'PROXMOX_API_UNAVAILABLE', /no answer within 0\.3 s/],
    ['rubbish', 'PROXMOX_API_UNAVAILABLE', /not of the shape that it documents/],
    ['wrong shape', 'PROXMOX_API_UNAVAILABLE', /not of the shape that it documents/],
    ['html', 'PROXMOX_API_UNAVAILABLE', /not of the shape that it documents/],
    ['flood', 'PROXMOX_API_UNAVAILABLE', /larger than 100000 bytes/],
  ];
  for (const [mood, code, message] of failures)
    it(`that is ${mood} is ${code}, asked once`, async () => {
      fake.mood = mood;
      const timeoutMs = mood === 'silent' ? 300 : 30_000;
      await assert.rejects(api({ timeoutMs, maxBytes: 100_000 }).containers(), { code, message });
      assert.equal(fake.asked.length, 1);
    });

  it('that nobody serves is unavailable', async () => {
    await assert.rejects(api({ port: await freePort() }).containers(), { code: 'PROXMOX_API_UNAVAILABLE', message: /ECONNREFUSED/ });
  });

  it('is only believed with this node’s certificate: to another not a byte of the token is sent', async () => {
    installCertificate(pveDir, 'pve1', makeCertificate(join(dir, 'other')).certificate);
    await assert.rejects(api().containers(), { code: 'PROXMOX_CERTIFICATE_UNKNOWN', message: /is not this node's; nothing was sent/ });
    assert.deepEqual(fake.asked, []);
    // an administrator's own certificate counts, too
    installCertificate(pveDir, 'pve1', fake.certificate, 'pveproxy-ssl.pem');
    fake.guests = [];
    assert.deepEqual(await api().containers(), []);
  });

  it('is not asked without a certificate to compare with, or with a broken one', async () => {
    rmSync(join(pveDir, 'nodes/pve1/pve-ssl.pem'));
    await assert.rejects(api().containers(), { code: 'PROXMOX_CERTIFICATE_UNKNOWN' });
    assert.deepEqual(fake.asked, []);
  });

  it('has a token only when its file is exactly one', async () => {
    for (const text of ['', '{', '{"id":"root@pam!x","secret":"y"}', `{"id":"${apiTokenId}","secret":"x\\r\\nX: y"}`]) {
      await writeDurably(join(pveDir, 'priv/cni/token.json'), text);
      assert.equal(await token().read(), null);
    }
  });
});
