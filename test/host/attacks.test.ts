import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createDaemon, type Daemon } from '../support/daemon.ts';
import { assertKernelUnchanged, snapshotKernel } from '../support/kernel.ts';
import { testVmid } from '../support/lxc.ts';
import { until } from '../support/until.ts';

const web = 'type: bridge\nsubnets:\n  - { cidr: 10.20.0.0/24, gateway: 10.20.0.1 }\n';

/** A process in a network namespace of its own: what a container's init is to the service. */
async function namespaced(): Promise<ChildProcess> {
  const child = spawn('unshare', ['--net', 'sleep', '600'], { stdio: 'ignore' });
  await until('its namespace differs', () => {
    const read = (pid: number | string) => execFileSync('readlink', [`/proc/${pid}/ns/net`], { encoding: 'utf8' });
    return read(child.pid ?? 0) !== read('self') && readFileSync(`/proc/${child.pid}/comm`, 'utf8').trim() === 'sleep';
  });
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

describe('attacks on a running service', () => {
  const [first, second] = [testVmid(61), testVmid(62)];
  const configured = (text = '') => `interfaces:\n  - { name: eth0, network: web${text} }\n`;
  let daemon: Daemon;
  let before: Awaited<ReturnType<typeof snapshotKernel>>;

  beforeEach(async () => {
    before = await snapshotKernel();
    daemon = await createDaemon({
      files: { 'networks/web.yaml': web, [`containers/${first}.yaml`]: configured(), [`containers/${second}.yaml`]: configured() },
    });
    await daemon.start();
    await daemon.reconciled();
  });
  afterEach(async () => {
    daemon.remove('networks/web.yaml');
    for (const vmid of [first, second]) daemon.remove(`containers/${vmid}.yaml`);
    await daemon.reconciled();
    await daemon.reconciled();
    const { body } = await daemon.api('POST', '/v1/gc', { dryRun: true });
    assert.deepEqual(body.leaks, []);
    await daemon.destroy();
    await assertKernelUnchanged(before);
  });

  const startHost = (vmid: number, pid: number) => daemon.api('POST', '/v1/hooks/start-host', { vmid, pid });

  it('B28 a pid in the host’s namespace is refused, and the host is untouched', async () => {
    const child = spawn('sleep', ['600']);
    const links = execFileSync('ip', ['-o', 'link'], { encoding: 'utf8' });
    const { status, body } = await startHost(first, child.pid ?? 0);
    assert.deepEqual([status, body.code], [409, 'NETNS_SHARED']);
    assert.equal(execFileSync('ip', ['-o', 'link'], { encoding: 'utf8' }), links);
    await end(child);
  });

  it('B28 a pid in another container’s namespace is refused, and that container keeps its network', async () => {
    const init = await namespaced();
    assert.equal((await startHost(first, init.pid ?? 0)).status, 200);
    const { status, body } = await startHost(second, init.pid ?? 0);
    assert.deepEqual([status, body.code], [409, 'NETNS_SHARED']);
    const { body: view } = await daemon.api('GET', `/v1/containers/${first}`);
    assert.equal(view.interfaces[0].state, 'attached');
    await end(init);
  });

  it('B29 a pid that has ended is refused, whoever has its number later', async () => {
    const init = await namespaced();
    await end(init);
    const { status, body } = await startHost(first, init.pid ?? 0);
    assert.deepEqual([status, body.code], [409, 'NETNS_GONE']);
  });

  it('B27 a stop hook for a container whose init lives is a forged or late one: nothing is detached', async () => {
    const init = await namespaced();
    await startHost(first, init.pid ?? 0);
    assert.equal((await daemon.api('POST', '/v1/hooks/stop', { vmid: first, target: 'stop' })).status, 200);
    assert.equal((await daemon.api('GET', `/v1/containers/${first}`)).body.interfaces[0].state, 'attached');
    await end(init);
    await until(
      'the liveness poll notices the end',
      async () => (await daemon.api('GET', `/v1/containers/${first}`)).body.interfaces[0].state === 'stopped',
    );
  });

  it('A4 numbers that are no container are refused before any path is made of them', async () => {
    for (const vmid of ['101;reboot', '-1', '1e3', '0x65', '..%2f..', '99', '1000000000000'])
      assert.ok([400, 404].includes((await daemon.api('GET', `/v1/containers/${vmid}`)).status), vmid);
    for (const vmid of ['101', -1, 1.5, 99, null])
      assert.equal((await daemon.api('POST', '/v1/hooks/start-host', { vmid, pid: 2 })).status, 400, String(vmid));
  });

  it('D56 a start that is asked for twice at once is done once', async () => {
    const init = await namespaced();
    const answers = await Promise.all([startHost(first, init.pid ?? 0), startHost(first, init.pid ?? 0), startHost(first, init.pid ?? 0)]);
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200],
    );
    const { body } = await daemon.api('GET', `/v1/operations?vmid=${first}&limit=20`);
    const list: { id: string; kind: string }[] = Array.isArray(body) ? body : body.operations;
    let adds = 0;
    for (const { id } of list.filter(({ kind }) => kind === 'attach')) {
      const { body: operation } = await daemon.api('GET', `/v1/operations/${id}`);
      adds += operation.spans.filter((span: { name: string }) => span.name === 'plugin:bridge:ADD').length;
    }
    assert.equal(adds, 1);
    await end(init);
    await daemon.api('POST', '/v1/hooks/stop', { vmid: first });
  });

  it('A5 nothing that people write reaches a shell: a hostile file name and a hostile field stay text', async () => {
    const mark = join(daemon.dir, 'owned');
    daemon.write(`containers/$(touch ${'owned'}).yaml`, configured());
    daemon.write('networks/bad.yaml', `type: bridge\nbridge: { name: "$(touch ${mark})" }\n`);
    const { body } = await daemon.api('GET', '/v1/configuration/check');
    assert.equal(body.ok, false);
    assert.throws(() => readFileSync(mark), { code: 'ENOENT' });
    daemon.remove('networks/bad.yaml');
    rmSync(join(daemon.root, `containers/$(touch ${'owned'}).yaml`));
  });
});

describe('attacks on what the service runs', () => {
  it('B26 a plugin that others can write is not executed, and the start is refused naming the path', async () => {
    const dir = mkdtempSync('/var/lib/pve-cni-test-plugins-');
    mkdirSync(join(dir, 'bin'));
    for (const name of ['bridge', 'static', 'host-local']) copyFileSync(`/usr/lib/cni/${name}`, join(dir, 'bin', name));
    chmodSync(join(dir, 'bin', 'bridge'), 0o777);
    const vmid = testVmid(63);
    const daemon = await createDaemon({
      pluginDirs: [join(dir, 'bin')],
      files: { 'networks/web.yaml': web, [`containers/${vmid}.yaml`]: `interfaces:\n  - { name: eth0, network: web }\n` },
    });
    await daemon.start();
    const init = await namespaced();
    const { status, body } = await daemon.api('POST', '/v1/hooks/start-host', { vmid, pid: init.pid });
    assert.deepEqual([status, body.code], [500, 'CNI_PLUGIN_UNSAFE']);
    assert.match(body.detail, /bridge/);
    await end(init);
    daemon.remove(`containers/${vmid}.yaml`);
    daemon.remove('networks/web.yaml');
    await daemon.reconciled();
    await daemon.destroy();
    rmSync(dir, { recursive: true });
  });

  it('B25 a state folder that others can write keeps the service from starting', async () => {
    const daemon = await createDaemon();
    chownSync(daemon.stateDir, 65534, 65534);
    daemon.launch();
    await daemon.untilDead();
    assert.match(daemon.log(), /STATE_UNSAFE/);
    await daemon.destroy();
  });

  it('A1 a configuration list whose type is a path is refused where it is written, and nothing is executed', async () => {
    const vmid = testVmid(64);
    const daemon = await createDaemon({
      files: {
        'networks/evil.conflist': JSON.stringify({ cniVersion: '1.0.0', name: 'evil', plugins: [{ type: '../../../../bin/touch' }] }),
        [`containers/${vmid}.yaml`]: 'interfaces:\n  - { name: eth0, network: evil }\n',
      },
    });
    await daemon.start();
    const init = await namespaced();
    const { status, body } = await daemon.api('POST', '/v1/hooks/start-host', { vmid, pid: init.pid });
    assert.deepEqual([status, body.code], [404, 'NETWORK_UNKNOWN']);
    const { body: check } = await daemon.api('GET', '/v1/configuration/check');
    assert.ok(check.results.some((one: { what: string; ok: boolean }) => one.what === 'networks/evil.conflist' && !one.ok));
    await end(init);
    await daemon.destroy();
  });
});
