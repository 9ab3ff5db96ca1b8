// systemd does not run here: test/support/systemctl stands in for systemctl and starts what the units say (test/support/systemctl.ts).
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { createDaemon, type Daemon } from '../support/daemon.ts';
import { freePort } from '../support/free-port.ts';
import { assertKernelUnchanged, type KernelState, snapshotKernel } from '../support/kernel.ts';
import { type Container, createContainer, testVmid } from '../support/lxc.ts';
import { type Systemctl, standInForSystemctl } from '../support/systemctl.ts';
import { until } from '../support/until.ts';
import { binaries } from './binaries.ts';
import { needsCilium } from './lab.ts';

/** Debian's, beside others of it; Cilium asks for 18.1 at least */
const clangPath = '/usr/lib/llvm-19/bin/clang';

/** What iptables leaves of itself when its last rule goes, and what the agent sets for good. */
const frames =
  /^(sysctl|netns) |^ip6?tables-save \*\w+ :[A-Z]+ ACCEPT$|^nft \{"(table":\{"family":"ip6?","name":"(filter|nat|mangle|raw)"\}\}|chain":.*"policy":"accept"\}\})$/;

describe('Cilium’s agent', () => {
  let daemon: Daemon;
  let folder: string;
  let registry: ChildProcess | undefined;
  let repository: string;
  let kernel: KernelState;
  let units: string;
  let systemctl: Systemctl;
  const containers: Container[] = [];
  const undo: (() => Promise<unknown> | unknown)[] = [];

  before(async function () {
    this.timeout(300_000);
    needsCilium(this);
    for (const tool of ['skopeo', 'umoci', 'docker-registry']) await execa('sh', ['-c', `command -v ${tool}`]);
    folder = mkdtempSync('/var/lib/pve-cni-test-install-');
    chmodSync(folder, 0o711);
    undo.push(() => rmSync(folder, { recursive: true, force: true }));
    // a /run of its own, since a folder that is removed elsewhere takes the mounts on it along in every mount namespace; and
    // a node: a bridge with an address, a rule of somebody else's, and the places that the agent mounts
    await sh(
      'ip link add vmbr0 type bridge; ip link set vmbr0 up; ip addr add 192.0.2.10/24 dev vmbr0; iptables -N OTHERS; iptables -A FORWARD -j OTHERS; iptables -t nat -A POSTROUTING -s 198.51.100.0/24 -j MASQUERADE; mount -t tmpfs none /run; mkdir -p /run/netns /run/lock /run/systemd; mount -t bpf bpf /sys/fs/bpf',
    );
    undo.push(() => sh('umount -l /sys/fs/bpf; umount -l /run; ip link del vmbr0; nft flush ruleset'));
    systemctl = await standInForSystemctl(folder);
    units = systemctl.units;
    undo.push(() => systemctl.remove());
    kernel = await snapshotKernel();
    repository = `localhost:${await startRegistry()}/cilium/cilium`;
    daemon = await createDaemon({
      files: { 'networks/pods.yaml': 'type: cilium\n', 'settings.yaml': 'releaseAfterHours: 0\n' },
      pluginDirs: [join(folder, 'cni'), '/usr/lib/cni'],
      settings: { cilium: { devices: ['vmbr0'], ipv4Range: '10.201.1.0/24', etcDir: systemctl.etcDir } },
    });
    for (const path of [daemon.dir, daemon.lxcPath]) chmodSync(path, 0o711);
    await daemon.start();
  });

  after(async function () {
    this.timeout(60_000);
    for (const container of containers) await container.destroy();
    for (const unit of ['pve-cni-cilium.service', 'pve-cni-etcd.service']) await systemctl?.stop(unit);
    await daemon?.destroy();
    registry?.kill();
    if (kernel) await assertKernelUnchanged(kernel, { ignore: frames });
    for (const action of undo.reverse()) await action();
  });

  afterEach(function () {
    if (this.currentTest?.state === 'failed')
      for (const log of [daemon.log(), systemctl.log('pve-cni-cilium.service'), systemctl.log('pve-cni-etcd.service')])
        console.error(log.split('\n').slice(-10).join('\n').slice(-3000));
  });

  const sh = (script: string) => execa('sh', ['-c', script]);
  const cli = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await daemon.cli('cilium', ...args);
    return { exitCode, text: `${stdout}\n${stderr}` };
  };
  const status = async () => JSON.parse((await daemon.cli('--json', 'cilium', 'status')).stdout);

  async function startRegistry(): Promise<number> {
    const port = await freePort();
    const config = join(folder, 'registry.yml');
    writeFileSync(
      config,
      JSON.stringify({
        version: '0.1',
        log: { level: 'error' },
        storage: { filesystem: { rootdirectory: join(folder, 'registry') } },
        http: { addr: `127.0.0.1:${port}` },
      }),
    );
    registry = spawn('docker-registry', ['serve', config], { stdio: 'ignore' });
    await until(
      'the registry answers',
      async () => (await execa('curl', ['-sf', `http://localhost:${port}/v2/`], { reject: false })).exitCode === 0,
    );
    return port;
  }

  /** Makes an image of these files and pushes it. */
  async function push(tag: string, files: Record<string, string | { link: string }>): Promise<string> {
    const layout = join(folder, `layout-${tag}`);
    const bundle = join(folder, `bundle-${tag}`);
    await execa('umoci', ['init', '--layout', layout]);
    await execa('umoci', ['new', '--image', `${layout}:${tag}`]);
    await execa('umoci', ['unpack', '--image', `${layout}:${tag}`, bundle]);
    for (const [path, source] of Object.entries(files)) {
      const target = join(bundle, 'rootfs', path);
      mkdirSync(join(target, '..'), { recursive: true });
      if (typeof source === 'string') cpSync(source, target, { recursive: true, dereference: true });
      else symlinkSync(source.link, target);
    }
    await execa('umoci', ['repack', '--image', `${layout}:${tag}`, bundle]);
    await execa('skopeo', [
      'copy',
      '--quiet',
      '--insecure-policy',
      '--dest-tls-verify=false',
      `oci:${layout}:${tag}`,
      `docker://${repository}:${tag}`,
    ]);
    rmSync(layout, { recursive: true });
    rmSync(bundle, { recursive: true });
    return `${repository}:${tag}`;
  }

  /** What an image of Cilium has, clang with its own loader and libraries, as the official one's may be newer than the node's. */
  async function partsOfImage(): Promise<Record<string, string>> {
    const clang = (await execa('readlink', ['-f', '/usr/lib/llvm-19/bin/clang'])).stdout;
    const { stdout } = await execa('ldd', [clang]);
    const libraries = [...stdout.matchAll(/^\s*(\S+) => (\/\S+) /gm)].map(([, name = '', path = '']) => [
      `usr/lib/x86_64-linux-gnu/${name}`,
      path,
    ]);
    return {
      'usr/bin/cilium-agent': join(binaries, 'cilium-agent'),
      'usr/bin/cilium-dbg': join(binaries, 'cilium-dbg'),
      'opt/cni/bin/cilium-cni': join(binaries, 'cilium-cni'),
      'var/lib/cilium/bpf': resolve(binaries, 'bpf'),
      'usr/local/bin/clang': clang,
      'lib64/ld-linux-x86-64.so.2': '/lib64/ld-linux-x86-64.so.2',
      ...Object.fromEntries(libraries),
    };
  }

  /** The real parts, saying that they are another version: the text of the version is replaced in the programs. */
  function ofVersion(version: string): string {
    const target = join(folder, `binaries-${version}`);
    mkdirSync(target);
    for (const part of ['cilium-agent', 'cilium-cni', 'cilium-dbg']) {
      const bytes = readFileSync(join(binaries, part));
      for (let at = bytes.indexOf('1.20.2'); at >= 0; at = bytes.indexOf('1.20.2', at + 1)) bytes.write(version, at);
      writeFileSync(join(target, part), bytes, { mode: 0o755 });
    }
    cpSync(join(binaries, 'bpf'), join(target, 'bpf'), { recursive: true });
    cpSync(clangPath, join(target, 'clang'), { dereference: true });
    return target;
  }

  it('is not installed where the preflight finds something bad', async () => {
    await sh('ip addr add 10.201.1.77/16 dev vmbr0');
    const { exitCode, text } = await cli('install', '--image', `${repository}:v1.20.2`);
    await sh('ip addr del 10.201.1.77/16 dev vmbr0');
    assert.equal(exitCode, 4);
    assert.match(text, /CILIUM_PREFLIGHT_FAILED/);
    assert.match(text, /10\.201\.1\.0\/24.*overlaps 10\.201\.1\.77\/16/);
  });

  it('is not installed from an image that is not there, is no Cilium, or leads out of itself', async function () {
    this.timeout(60_000);
    const missing = await cli('install', '--image', `${repository}:none`);
    assert.match(missing.text, /cannot fetch .*:none: .*manifest unknown[\s\S]*CILIUM_INSTALL_FAILED/);
    const empty = await cli('install', '--image', await push('empty', { 'etc/motd': '/etc/hostname' }));
    assert.match(empty.text, /has no cilium-agent, no cilium-dbg, no cilium-cni, no bpf/);
    const link = { link: '/etc' };
    const trap = await push('trap', {
      'usr/bin/cilium-agent': { link: '/bin/sh' },
      'usr/bin/cilium-dbg': '/bin/true',
      'opt/cni/bin/cilium-cni': '/bin/true',
      'var/lib/cilium/bpf': link,
    });
    assert.match((await cli('install', '--image', trap)).text, /has no cilium-agent, no bpf/);
    assert.equal(existsSync(join(daemon.stateDir, 'cilium/current')), false);
    assert.deepEqual(existsSync(units) ? readdirSync(units) : [], []);
    assert.deepEqual(readdirSync(join(daemon.stateDir, 'cilium/versions')), []);
    for (const bad of ['-rf', 'quay.io/x:tag --dest', 'docker://quay.io/x', '/etc/passwd'])
      assert.equal((await daemon.api('POST', '/v1/cilium/install', { image: bad })).status, 400, bad);
  });

  it('is installed from an image in a registry, with etcd, by one command that says what it does', async function () {
    this.timeout(300_000);
    const image = await push('v1.20.2', await partsOfImage());
    const { exitCode, text } = await cli('install', '--image', image);
    assert.equal(exitCode, 0, text);
    for (const step of [
      'look at the node',
      `fetch ${image}`,
      'unpack the image',
      'check the versions',
      'put the parts in place',
      'write the units',
      'start',
      'wait until the agent is healthy',
    ])
      assert.ok(text.includes(`${step} …`), `${step} in ${text}`);
    assert.match(text, /Cilium 1\.20\.2 is installed and healthy \(operation /);
    const shown = await cli('status');
    assert.equal(shown.exitCode, 0, shown.text);
    assert.match(shown.text, /Cilium +ok/);
    assert.match(shown.text, new RegExp(`installed +1\\.20\\.2 from ${image}`));
    assert.match(shown.text, /pve-cni-etcd +active/);
    assert.match(shown.text, /key-value store +Ok: .*http:\/\/127\.0\.0\.1:23790/);
    assert.match((await status()).installed.digest, /^sha256:[0-9a-f]{64}$/);
    const [operation] = (await daemon.api('GET', '/v1/operations?limit=200')).body.filter(
      ({ kind }: { kind: string }) => kind === 'install',
    );
    assert.equal(operation.outcome, 'ok');
    // the image's clang ran with the image's libraries
    assert.match(readFileSync(join(daemon.stateDir, 'cilium/current/clang'), 'utf8'), /ld\.so/);
    const modes = (await sh(`find ${daemon.stateDir}/cilium/current/ ${folder}/cni -perm /022 ! -type l -o ! -user root`)).stdout;
    assert.equal(modes, '');
  });

  it('is installed by repeating the command, when the service died in the middle', async function () {
    this.timeout(180_000);
    await daemon.stop();
    for (const moment of ['install/step:put the parts in place:begin', 'install/step:write the units:end']) {
      await daemon.start({ PVE_CNI_TEST_KILL_AT: moment });
      const { exitCode } = await cli('install', '--image', `${repository}:v1.20.2`);
      assert.equal(exitCode, 7, moment);
      await daemon.untilDead();
      await daemon.start();
      const [operation] = (await daemon.api('GET', '/v1/operations?limit=200')).body.filter(
        ({ kind }: { kind: string }) => kind === 'install',
      );
      assert.equal(operation.outcome, 'interrupted', moment);
      await daemon.stop();
    }
    await daemon.start();
    // the agent that runs was not touched
    assert.equal((await status()).agent.state, 'Ok');
    const { exitCode, text } = await cli('install', '--image', `${repository}:v1.20.2`);
    assert.equal(exitCode, 0, text);
    assert.equal((await cli('status')).exitCode, 0);
    assert.equal(readdirSync(join(daemon.stateDir, 'cilium/versions')).length, 1);
  });

  it('writes units that systemd takes, which give the agent no mount namespace of its own', async () => {
    for (const unit of readdirSync(units)) {
      const { stderr } = await execa('systemd-analyze', ['verify', '--man=no', join(units, unit)], { reject: false });
      assert.doesNotMatch(stderr, new RegExp(`${folder}.*(unknown|invalid|ignoring|Unknown|Invalid|Failed to parse)`, 'i'), stderr);
    }
    const text = readFileSync(join(units, 'pve-cni-cilium.service'), 'utf8');
    assert.doesNotMatch(
      text,
      /^(Protect|Private|ReadOnly|ReadWrite|Inaccessible|TemporaryFileSystem|BindPaths|RootDirectory|MountFlags|DynamicUser)/m,
    );
  });

  it('carries containers, and their traffic goes on while it is upgraded', async function () {
    this.timeout(180_000);
    for (const number of [1, 2]) {
      const container = await createContainer({ lxcPath: daemon.lxcPath, vmid: testVmid(number), hooks: daemon.hooks });
      containers.push(container);
      daemon.write(`containers/${container.vmid}.yaml`, JSON.stringify({ interfaces: [{ name: 'eth0', network: 'pods' }] }));
      await daemon.reconciled();
      await container.start();
    }
    const [one, other] = containers as [Container, Container];
    const { interfaces } = (await daemon.api('GET', `/v1/containers/${other.vmid}`)).body;
    const address = interfaces[0].addresses[0];
    const script = `ping -i 0.1 -W 1 ${address} & p=$!; while [ ! -e /tmp/done ]; do sleep 0.2; done; kill -INT $p; wait $p`;
    await one.exec(['rm', '-f', '/tmp/done']);
    const pings = one.exec(['sh', '-c', script]);
    const before = (await status()).agent.endpoints;
    const { exitCode, text } = await cli('upgrade', '--binaries', ofVersion('1.20.3'));
    await one.exec(['touch', '/tmp/done']);
    assert.equal(exitCode, 0, text);
    assert.match(text, /Cilium 1\.20\.3 is upgraded from 1\.20\.2 and healthy/);
    const [, sent = '0', received = ''] = /(\d+) packets transmitted, (\d+) (?:packets )?received/.exec(String(await pings)) ?? [];
    assert.ok(Number(sent) >= 10, `${sent} pings`);
    assert.equal(received, sent);
    const after = await status();
    assert.deepEqual([after.state, after.agent.version, after.installed.version], ['ok', '1.20.3', '1.20.3']);
    await until('all endpoints are restored', async () => (await status()).agent.endpoints.ready === before.ready, 60);
    assert.equal(after.agent.endpoints.total, before.total);
    assert.deepEqual(readdirSync(join(daemon.stateDir, 'cilium/versions')).length, 1);
  });

  it('stays as it is when what is to replace it is too old, too new, older, or can be changed by others', async function () {
    this.timeout(120_000);
    const refused = async (path: string, expected: RegExp, ...more: string[]) => {
      const { exitCode, text } = await cli('upgrade', '--binaries', path, ...more);
      assert.match(text, expected);
      assert.equal(exitCode, 4, text);
    };
    const old = ofVersion('1.19.9');
    await refused(old, /Cilium 1\.19\.9 is too old: this version of pve-cni works with 1\.20\.x[\s\S]*CILIUM_VERSION_UNSUPPORTED/);
    await refused(old, /too old/, '--force');
    await refused(ofVersion('1.21.0'), /Cilium 1\.21\.0 is too new/);
    await refused(ofVersion('1.20.1'), /refused to go back from Cilium 1\.20\.3 to 1\.20\.1/);
    chmodSync(join(old, 'cilium-cni'), 0o777);
    await refused(old, /cilium-cni can be changed by others than root[\s\S]*CNI_PLUGIN_UNSAFE/);
    await refused('/nowhere', /there is no folder \/nowhere/);
    const after = await status();
    assert.deepEqual([after.state, after.agent.version], ['ok', '1.20.3']);
  });

  it('goes back to what ran before when the new one does not start', async function () {
    this.timeout(300_000);
    const broken = join(folder, 'binaries-1.20.3');
    // says its version, and does nothing else
    writeFileSync(
      join(broken, 'cilium-agent'),
      '#!/bin/sh\n[ "$1" = --version ] && exec echo "cilium-agent 1.20.4 go version go1 linux/amd64"\nexit 1\n',
      { mode: 0o755 },
    );
    writeFileSync(join(broken, 'cilium-cni'), '#!/bin/sh\necho "Cilium CNI plugin 1.20.4 go version go1 linux/amd64"\n', { mode: 0o755 });
    const { exitCode, text } = await cli('upgrade', '--binaries', broken);
    assert.equal(exitCode, 4, text);
    assert.match(text, /go back to 1\.20\.3 …[\s\S]*not healthy/);
    await until('the old one is healthy', async () => (await status()).state === 'ok', 60);
    assert.equal((await status()).installed.version, '1.20.3');
    const [one, other] = containers as [Container, Container];
    const { interfaces } = (await daemon.api('GET', `/v1/containers/${other.vmid}`)).body;
    await one.exec(['ping', '-c', '1', '-w', '5', interfaces[0].addresses[0]]);
  });

  it('is not removed while containers use it, who are named', async () => {
    const { exitCode, text } = await cli('uninstall');
    assert.equal(exitCode, 4);
    for (const { vmid } of containers) assert.match(text, new RegExp(`container ${vmid}`));
    assert.match(text, /CILIUM_IN_USE/);
    assert.equal((await status()).state, 'ok');
  });

  it('is removed with all that it made, and nothing of others', async function () {
    this.timeout(60_000);
    await sh('mkdir -p /etc/cni && mount -t tmpfs none /etc/cni && mkdir /etc/cni/net.d');
    const others = '10-web.conflist.cilium_bak';
    writeFileSync(`/etc/cni/net.d/${others}`, '{}');
    await sh('ip link add lxcbr100 type bridge');
    try {
      for (const container of containers) await container.stop();
      await daemon.reconciled();
      const { exitCode, text } = await cli('uninstall');
      assert.equal(exitCode, 0, text);
      assert.match(text, /Cilium 1\.20\.3 is removed/);
      assert.deepEqual(readdirSync('/etc/cni/net.d'), [others]);
      assert.equal((await execa('ip', ['link', 'show', 'lxcbr100'])).exitCode, 0);
    } finally {
      await sh('ip link del lxcbr100; umount /etc/cni; rmdir --ignore-fail-on-non-empty /etc/cni');
    }
    await assertKernelUnchanged(kernel, { ignore: frames });
    assert.deepEqual(readdirSync(units), []);
    // what the service itself makes of policies and services may be there again
    const left = existsSync(join(daemon.stateDir, 'cilium')) ? readdirSync(join(daemon.stateDir, 'cilium')) : [];
    assert.deepEqual(
      left.filter((name) => !['policies', 'services.yaml'].includes(name)),
      [],
    );
    assert.equal(existsSync(join(folder, 'cni/cilium-cni')), false);
    assert.deepEqual(
      readdirSync('/sys/fs/bpf').filter((name) => !name.endsWith('.debug')),
      [],
    );
    assert.deepEqual(readdirSync(join(folder, 'etc/sysctl.d')), []);
    const { exitCode, text } = await cli('status');
    assert.equal(exitCode, 1);
    assert.match(text, /Cilium +off[\s\S]*pve-cni cilium install/);
    assert.match((await cli('uninstall')).text, /CILIUM_NOT_INSTALLED/);
  });
});
