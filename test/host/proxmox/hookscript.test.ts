// Stand-ins: pct (test/support/pct), and the cluster filesystem as an ordinary folder (test/support/proxmox-folder.ts).
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { createDaemon, type Daemon } from '../../support/daemon.ts';
import { testVmid } from '../../support/lxc.ts';
import { createProxmoxFolder, type ProxmoxFolder } from '../../support/proxmox-folder.ts';
import { skip } from '../../support/skip.ts';
import { until } from '../../support/until.ts';

const volume = 'local:snippets/pve-cni-hook';

describe('the hookscript of a Proxmox container', function () {
  this.timeout(120_000);
  let daemon: Daemon;
  let pve: ProxmoxFolder;
  let tools: string;
  let count = 0;
  const node = hostname().split('.', 1)[0] ?? '';
  const config = (vmid: number) => readFileSync(join(pve.path, 'lxc', `${vmid}.conf`), 'utf8');
  const snippet = () => join(tools, 'pve-cni-hook');
  const calls = () => (existsSync(join(tools, 'calls')) ? readFileSync(join(tools, 'calls'), 'utf8').trimEnd().split('\n') : []);
  const lockSeconds = (seconds: number) => writeFileSync(join(tools, 'lock-seconds'), String(seconds));
  /** as Proxmox makes one */
  const create = (text = 'hostname: web\n') => {
    const vmid = testVmid(++count);
    pve.write(vmid, text);
    return vmid;
  };
  const attach = (vmid: number, name = 'eth0') =>
    daemon.api('POST', `/v1/containers/${vmid}/interfaces`, { interface: { name, network: 'web', address: 'auto' } });
  /** as Proxmox holds it while it starts the container */
  const holdLock = async (vmid: number) => {
    const lock = join(tools, `${vmid}.lock`);
    const holder = execa('sh', ['-c', 'exec 9>"$0"; flock 9; read -r _', lock], { reject: false });
    const isFree = async () => (await execa('flock', ['-n', lock, 'true'], { reject: false })).exitCode === 0;
    await until('the lock is held', async () => !(await isFree()), 30);
    return async () => {
      holder.stdin.end();
      await holder;
    };
  };
  const detach = (vmid: number, name = 'eth0') => daemon.api('DELETE', `/v1/containers/${vmid}/interfaces/${name}`);

  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'the service needs root');
    daemon = await createDaemon({ files: { 'networks/web.yaml': 'type: bridge\nsubnets: [{ cidr: 10.20.0.0/24 }]\n' } });
    tools = join(daemon.dir, 'tools');
    mkdirSync(tools);
    pve = createProxmoxFolder(join(daemon.dir, 'pve'), node);
    symlinkSync(pve.path, join(tools, 'pve'));
    copyFileSync('test/support/pct', join(tools, 'pct'));
    lockSeconds(10);
    const settings = JSON.parse(readFileSync(join(daemon.dir, 'pve-cnid.yaml'), 'utf8'));
    writeFileSync(
      join(daemon.dir, 'pve-cnid.yaml'),
      JSON.stringify({ ...settings, pveDir: pve.path, proxmox: { toolDirs: [tools], snippet: snippet() } }),
    );
    await daemon.start();
  });
  beforeEach(() => {
    rmSync(join(tools, 'calls'), { force: true });
    writeFileSync(snippet(), '#!/bin/sh\n');
    chmodSync(snippet(), 0o755);
  });
  after(async () => {
    if (!daemon) return;
    rmSync(join(daemon.root, 'containers'), { recursive: true, force: true });
    daemon.remove('networks/web.yaml');
    await daemon.reconciled();
    await until('no bridge is left', async () => !(await execa('ip', ['-d', 'link'])).stdout.includes('alias pve-cni:'), 30);
    await daemon.destroy();
  });

  it('is set by the first attach and taken off by the last detach; answer and audit log say so', async () => {
    const vmid = create();
    const { body } = await attach(vmid);
    assert.match(body.message, /joins network "web" at its next start; its hookscript is local:snippets\/pve-cni-hook now$/);
    assert.equal((await daemon.api('GET', `/v1/operations/${body.operation}`)).body.message, body.message);
    assert.equal(config(vmid), `hostname: web\nhookscript: ${volume}\n`);
    await attach(vmid, 'eth1');
    await detach(vmid, 'eth0');
    assert.deepEqual(calls(), [`set ${vmid} --hookscript ${volume}`], 'nothing is set twice');
    const last = await detach(vmid, 'eth1');
    assert.match(last.body.message, /its hookscript, which was ours, is taken off/);
    assert.equal(config(vmid), 'hostname: web\n');
  });

  it('of an administrator is left alone, and he is told', async () => {
    const vmid = create('hostname: web\nhookscript: local:snippets/own.pl\n');
    const { status, body } = await attach(vmid);
    assert.equal(status, 200);
    assert.match(body.message, /its hookscript local:snippets\/own\.pl is left alone: the LXC drop-in does the work/);
    await detach(vmid);
    assert.deepEqual(calls(), []);
    assert.match(config(vmid), /own\.pl/);
  });

  it('is not set where its file is missing or cannot be run: Proxmox would start the container no more', async () => {
    for (const spoil of [() => rmSync(snippet()), () => chmodSync(snippet(), 0o644)]) {
      spoil();
      const vmid = create();
      const { status, body } = await attach(vmid);
      assert.equal(status, 200);
      writeFileSync(snippet(), '#!/bin/sh\n');
      assert.match(body.message, /is not set, since local:snippets\/pve-cni-hook is not on this node \(reinstall pve-cni\)/);
      await detach(vmid);
    }
    assert.deepEqual(calls(), []);
  });

  it('that names a file which is gone is a finding of doctor, for a clone, too', async () => {
    const vmid = create(`hostname: clone\nhookscript: ${volume}\n`);
    const found = async () =>
      (await daemon.api('GET', '/v1/doctor')).body.checks.filter(({ name }: { name: string }) => name === 'hookscripts');
    assert.equal((await found())[0].state, 'ok');
    rmSync(snippet());
    const [finding] = await found();
    assert.equal(finding.state, 'bad');
    assert.match(finding.message, new RegExp(`container ${vmid} cannot start`));
    assert.match(finding.cure, new RegExp(`pct set ${vmid} --delete hookscript`));
    pve.remove(vmid);
  });

  it('that cannot be set, since the container is locked, is a notice and no error', async () => {
    const locked = create('hostname: web\nlock: backup\n');
    const { status, body } = await attach(locked);
    assert.equal(status, 200);
    assert.match(body.message, /could not be set .*CT is locked \(backup\).*by hand: pct set \d+ --hookscript/);

    lockSeconds(0.2);
    const vmid = create();
    const release = await holdLock(vmid);
    try {
      const held = await attach(vmid);
      assert.equal(held.status, 200);
      assert.match(held.body.message, /could not be set .*got timeout/);
      assert.equal(config(vmid), 'hostname: web\n');
    } finally {
      await release();
      lockSeconds(10);
    }
  });

  it('is not waited for by a start that holds the lock: the container’s turn is free while pct waits', async () => {
    const vmid = create();
    const release = await holdLock(vmid);
    try {
      const attaching = attach(vmid);
      await until('pct waits for the lock', () => calls().length === 1, 30);
      // what the start's pre-start hook asks while Proxmox holds the lock
      assert.match((await daemon.api('POST', '/v1/hooks/pre-start', { vmid })).body.message ?? '', /ready to join/);
      await release();
      assert.match((await attaching).body.message, /its hookscript is local:snippets/);
    } finally {
      await release();
    }
  });

  it('is not looked for where pct is not installed, nor for a container that Proxmox does not have here', async () => {
    renameSync(join(tools, 'pct'), join(tools, 'pct.away'));
    const { status, body } = await attach(create());
    assert.equal(status, 200);
    assert.match(body.message, /could not be set .*pct: it is not installed/);
    renameSync(join(tools, 'pct.away'), join(tools, 'pct'));
    const foreign = await attach(testVmid(++count));
    assert.match(foreign.body.message, /at its next start$/);
  });
});
