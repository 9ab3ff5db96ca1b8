// Stand-ins: the cluster filesystem (test/support/pmxcfs.py), pveum (test/support/pveum), Proxmox's API (test/support/proxmox-api.ts).
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import type { SetupView } from '../../../src/model/setup.ts';
import { createDaemon, type Daemon } from '../../support/daemon.ts';
import { mountPmxcfs, type Pmxcfs } from '../../support/pmxcfs.ts';
import { type FakeApi, installCertificate, startFakeApi } from '../../support/proxmox-api.ts';
import { until } from '../../support/until.ts';

const tokenId = 'pve-cni@pve!service';

describe('pve-cni setup on a node of Proxmox', function () {
  this.timeout(120_000);
  let pmxcfs: Pmxcfs;
  let daemon: Daemon;
  let fake: FakeApi;
  let tools: string;
  const tokenFile = () => join(pmxcfs.path('pve1'), 'priv/cni/token.json');
  const state = () => JSON.parse(readFileSync(join(tools, 'state.json'), 'utf8'));
  const setState = (change: (state: Record<string, Record<string, { expire: number; value: string }>>) => void) => {
    const now = state();
    change(now);
    writeFileSync(join(tools, 'state.json'), JSON.stringify(now));
  };
  const calls = () => readFileSync(join(tools, 'calls'), 'utf8');
  /** Proxmox takes the tokens that it has */
  const follow = () => {
    fake.tokens.clear();
    if (!existsSync(join(tools, 'state.json'))) return;
    for (const [id, { value }] of Object.entries(state().tokens as Record<string, { value: string }>)) fake.tokens.set(id, value);
  };
  const setup = async (...options: string[]) => {
    const done = await daemon.cli('--json', 'setup', ...options);
    follow();
    return { exitCode: done.exitCode, ...(JSON.parse(done.stdout || '{}') as SetupView), text: done.stdout + done.stderr };
  };
  const stateOf = ({ steps }: SetupView, what: RegExp) => steps.filter((one) => what.test(one.what)).map((one) => one.state);
  const finding = async () => {
    const { body } = await daemon.api('GET', '/v1/doctor');
    return body.checks.find(({ name }: { name: string }) => name === 'proxmox-api');
  };

  before(async function () {
    pmxcfs = await mountPmxcfs(this, ['pve1', 'pve2']);
    const pveDir = pmxcfs.path('pve1');
    fake = await startFakeApi(join(pveDir, '../tls'));
    installCertificate(pveDir, 'pve1', fake.certificate);
    daemon = await createDaemon({
      root: join(pveDir, 'cni'),
      settings: { pveDir, proxmox: { toolDirs: ['/nonexistent'], api: { port: fake.port, everySeconds: 1 }, snippet: '/nonexistent' } },
    });
    rmSync(daemon.root, { recursive: true });
    tools = join(daemon.dir, 'tools');
    mkdirSync(tools);
    copyFileSync('test/support/pveum', join(tools, 'pveum'));
    writeFileSync(join(tools, 'pve-cni-hook'), '#!/bin/sh\n', { mode: 0o755 });
    const file = join(daemon.dir, 'pve-cnid.yaml');
    const config = JSON.parse(readFileSync(file, 'utf8'));
    Object.assign(config.proxmox, { toolDirs: [tools], snippet: join(tools, 'pve-cni-hook') });
    writeFileSync(file, JSON.stringify(config));
    Object.assign(daemon, { enter: ['unshare', '--uts', 'sh', '-c', 'hostname pve1; exec "$@"', 'sh'] });
    await daemon.start();
  });
  after(async () => {
    await daemon?.reconciled();
    await until('no bridge is left', async () => !(await execa('ip', ['-d', 'link'])).stdout.includes('alias pve-cni:'), 30);
    await daemon?.destroy();
    await fake?.close();
    await pmxcfs?.destroy();
  });

  it('says with --dry-run what it would make, and makes nothing', async () => {
    const { body } = await daemon.api('POST', '/v1/setup', { dryRun: true });
    assert.deepEqual(
      body.steps.map(({ state }: { state: string }) => state),
      [...Array(6).fill('would be made'), 'kept'],
    );
    assert.equal(existsSync(tokenFile()), false);
    assert.equal(existsSync(daemon.root), false);
    assert.doesNotMatch(calls(), /add|modify/);
  });

  it('makes the folders, a role with the least rights, a user, and a token that only root can read', async () => {
    const made = await setup();
    assert.equal(made.exitCode, 0, made.text);
    assert.deepEqual([...new Set(stateOf(made, /^(root|role|user|permission|token)/))], ['made']);
    assert.ok(readdirSync(daemon.root).includes('networks'));
    const { roles, acl, tokens } = state();
    assert.equal(roles.CNIAudit, 'Pool.Audit,VM.Audit');
    assert.deepEqual(
      acl.map(({ path, ugid, roleid }: Record<string, string>) => [path, ugid, roleid]),
      [
        ['/vms', 'pve-cni@pve', 'CNIAudit'],
        ['/pool', 'pve-cni@pve', 'CNIAudit'],
      ],
    );
    assert.deepEqual(JSON.parse(readFileSync(tokenFile(), 'utf8')), { id: tokenId, secret: tokens[tokenId].value });
    assert.equal((statSync(tokenFile()).mode & 0o777).toString(8), '600');
    assert.equal((await daemon.api('GET', '/v1/operations')).body[0].kind, 'setup');
  });

  it('keeps what is there, however often it is repeated', async () => {
    const before = readFileSync(tokenFile(), 'utf8');
    const again = await setup();
    assert.deepEqual([...new Set(again.steps.map((one) => one.state))], ['kept']);
    assert.equal(readFileSync(tokenFile(), 'utf8'), before);
    const shown = await daemon.cli('setup');
    assert.match(shown.stdout, /token pve-cni@pve!service +kept/);
  });

  it('renews a token that expired, was removed, or whose secret was lost, and gives the role its rights back', async () => {
    const spoils: [string, () => void][] = [
      ['renewed', () => setState(({ tokens = {} }) => Object.assign(tokens[tokenId] ?? {}, { expire: 1000 }))],
      ['made', () => setState(({ tokens = {} }) => delete tokens[tokenId])],
      ['renewed', () => rmSync(tokenFile())],
      // another secret than the one that the file has: Proxmox refuses it
      [
        'renewed',
        () => setState(({ tokens = {} }) => Object.assign(tokens[tokenId] ?? {}, { value: '00000000-0000-0000-0000-000000000000' })),
      ],
    ];
    for (const [expected, spoil] of spoils) {
      const before = existsSync(tokenFile()) ? readFileSync(tokenFile(), 'utf8') : '';
      spoil();
      follow();
      const answer = await setup();
      assert.deepEqual(stateOf(answer, /^token/), [expected], answer.text);
      assert.notEqual(readFileSync(tokenFile(), 'utf8'), before);
      assert.equal(JSON.parse(readFileSync(tokenFile(), 'utf8')).secret, state().tokens[tokenId].value);
    }
    setState(({ roles = {} }) => Object.assign(roles, { CNIAudit: 'VM.Audit,VM.Allocate' }));
    assert.deepEqual(stateOf(await setup(), /^role/), ['renewed']);
    assert.equal(state().roles.CNIAudit, 'Pool.Audit,VM.Audit');
  });

  it('keeps a token that cannot be tried, since the API is away', async () => {
    const before = readFileSync(tokenFile(), 'utf8');
    fake.mood = 'broken';
    assert.deepEqual(stateOf(await setup(), /^token/), ['kept']);
    assert.equal(readFileSync(tokenFile(), 'utf8'), before);
    fake.mood = 'well';
  });

  it('never shows or logs a secret', async () => {
    const secret = state().tokens[tokenId].value;
    const [status, operations, doctor] = await Promise.all(
      ['/v1/status', '/v1/operations', '/v1/doctor'].map(async (path) => JSON.stringify((await daemon.api('GET', path)).body)),
    );
    const log = await execa('grep', ['-rl', secret, daemon.dir, daemon.root], { reject: false });
    assert.deepEqual(
      log.stdout.split('\n').filter((name) => !name.startsWith(tools) && name !== ''),
      [],
    );
    assert.ok(![status, operations, doctor, daemon.log(), calls()].some((text) => text?.includes(secret)));
  });

  it('gives the service eyes on other nodes: state and high availability, as doctor says', async () => {
    pmxcfs.write('pve1', 101);
    fake.guests = [{ vmid: 101, type: 'lxc', node: 'pve1', status: 'stopped' }];
    await until('it was asked', async () => (await finding()).state === 'ok', 30);
    const { body } = await daemon.api('POST', '/v1/containers/101/interfaces', {
      interface: { name: 'eth0', network: 'web', address: 'auto' },
    });
    assert.equal(body.code, 'NETWORK_UNKNOWN');
    daemon.write('networks/web.yaml', 'type: bridge\nsubnets: [{ cidr: 10.20.0.0/24 }]\n');
    daemon.write('containers/101.yaml', 'interfaces: [{ name: eth0, network: web }]\n');
    pmxcfs.migrate(101, 'pve1', 'pve2');
    fake.guests = [{ vmid: 101, type: 'lxc', node: 'pve2', status: 'running', hastate: 'started' }];
    const place = async () => (await daemon.api('GET', '/v1/containers/101')).body.place;
    await until('it is seen there', async () => (await place())?.status === 'running', 30);
    const { node, here, ha } = await place();
    assert.deepEqual({ node, here, ha }, { node: 'pve2', here: false, ha: 'started' });
    assert.match((await daemon.cli('container', 'list')).stdout, /101 +running on pve2 \(HA: started\)/);
    assert.deepEqual((await daemon.api('GET', '/v1/interfaces')).body, [], 'it is not of this node');
    pmxcfs.migrate(101, 'pve2', 'pve1');
    daemon.remove('containers/101.yaml');
    daemon.remove('networks/web.yaml');
    fake.mood = 'forbidden';
    await until('it warns', async () => (await finding()).state === 'warning', 30);
    assert.match((await finding()).message, /may not \(403/);
    assert.equal((await finding()).cure, 'pve-cni setup');
    fake.mood = 'node down';
    await until('it says why', async () => /595/.test((await finding()).message), 30);
    fake.mood = 'well';
    await until('all is well', async () => (await finding()).state === 'ok', 30);
    pmxcfs.remove('pve1', 101);
  });

  it('is refused without quorum, with the reason, and changes nothing', async () => {
    pmxcfs.quorum('pve1', false);
    const { status, body } = await daemon.api('POST', '/v1/setup', {});
    assert.deepEqual([status, body.code], [503, 'PROXMOX_UNAVAILABLE']);
    assert.match(body.detail, /restore quorum/);
    pmxcfs.quorum('pve1', true);
  });
});
