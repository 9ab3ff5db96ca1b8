// systemd does not run here: test/support/systemctl stands in for systemctl and starts what the units say (test/support/systemctl.ts).
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { createDaemon, type Daemon } from '../support/daemon.ts';
import { freePort } from '../support/free-port.ts';
import { type Systemctl, standInForSystemctl } from '../support/systemctl.ts';
import { until } from '../support/until.ts';
import { binaries } from './binaries.ts';
import { needsCilium } from './lab.ts';

describe('an etcd that wants TLS and a certificate of its clients', () => {
  let folder: string;
  let etcd: ChildProcess | undefined;
  let systemctl: Systemctl | undefined;
  let endpoint: string;
  const daemons: Daemon[] = [];
  const sh = (script: string) => execa('sh', ['-ec', script], { cwd: folder });

  before(async function () {
    this.timeout(120_000);
    needsCilium(this);
    folder = mkdtempSync('/var/lib/pve-cni-test-tls-');
    await sh(
      'ip link add vmbr0 type bridge; ip link set vmbr0 up; ip addr add 192.0.2.10/24 dev vmbr0; mount -t tmpfs none /run; mkdir -p /run/netns /run/lock /run/systemd; mount -t bpf bpf /sys/fs/bpf',
    );
    systemctl = await standInForSystemctl(folder);
    const key = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2';
    for (const ca of ['ca', 'other'])
      await sh(`openssl req -x509 ${key} -keyout ${ca}.key -out ${ca}.crt -subj /CN=${ca} -addext basicConstraints=critical,CA:TRUE`);
    for (const [name, use] of [
      ['server', 'serverAuth'],
      ['client', 'clientAuth'],
    ])
      await sh(
        `openssl req ${key} -keyout ${name}.key -out ${name}.csr -subj /CN=${name}
         printf 'subjectAltName=IP:127.0.0.1\\nextendedKeyUsage=${use}\\n' > ${name}.ext
         openssl x509 -req -in ${name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile ${name}.ext -out ${name}.crt`,
      );
    const [port, peers] = [await freePort(), await freePort()];
    endpoint = `https://127.0.0.1:${port}`;
    etcd = spawn(
      'etcd',
      [
        `--data-dir=${folder}/etcd`,
        `--listen-client-urls=${endpoint}`,
        `--advertise-client-urls=${endpoint}`,
        `--listen-peer-urls=http://127.0.0.1:${peers}`,
        `--cert-file=${folder}/server.crt`,
        `--key-file=${folder}/server.key`,
        `--trusted-ca-file=${folder}/ca.crt`,
        '--client-cert-auth',
      ],
      { stdio: 'ignore' },
    );
    const files = `--cacert ca.crt --cert client.crt --key client.key`;
    await until('etcd answers', () =>
      sh(`curl -sf ${files} ${endpoint}/health`).then(
        () => true,
        () => false,
      ),
    );
    cpSync(binaries, join(folder, 'binaries'), { recursive: true });
    cpSync('/usr/lib/llvm-19/bin/clang', join(folder, 'binaries/clang'), { dereference: true });
  });

  after(async function () {
    this.timeout(60_000);
    await systemctl?.stop('pve-cni-cilium.service');
    for (const daemon of daemons) await daemon.destroy();
    etcd?.kill('SIGKILL');
    await systemctl?.remove();
    if (folder) {
      await sh('umount -l /sys/fs/bpf; umount -l /run; ip link del vmbr0; nft flush ruleset');
      rmSync(folder, { recursive: true });
    }
  });

  async function service(files: object): Promise<Daemon> {
    const daemon = await createDaemon({
      pluginDirs: [join(folder, 'cni'), '/usr/lib/cni'],
      settings: {
        cilium: { devices: ['vmbr0'], ipv4Range: '10.201.1.0/24', etcDir: systemctl?.etcDir, etcd: { endpoints: [endpoint], ...files } },
      },
    });
    daemons.push(daemon);
    chmodSync(daemon.dir, 0o711);
    await daemon.start();
    return daemon;
  }
  const file = (name: string) => join(folder, name);
  const client = () => ({ certFile: file('client.crt'), keyFile: file('client.key') });

  it('is reached by preflight, agent and status with the files that the settings name', async function () {
    this.timeout(240_000);
    const daemon = await service({ caFile: file('ca.crt'), ...client() });
    const { exitCode, stdout, stderr } = await daemon.cli('cilium', 'install', '--binaries', file('binaries'));
    assert.equal(exitCode, 0, stderr);
    assert.match(stdout, /is installed and healthy/);
    const status = await daemon.cli('cilium', 'status');
    assert.equal(status.exitCode, 0, status.stdout);
    assert.ok(status.stdout.includes(`Ok: etcd: 1/1 connected`) && status.stdout.includes(endpoint), status.stdout);
    assert.doesNotMatch(status.stdout, /pve-cni-etcd/);
    const removed = await daemon.cli('cilium', 'uninstall');
    assert.equal(removed.exitCode, 0, removed.stderr);
  });

  it('is refused by name when its authority is another one, or when we have no certificate', async () => {
    for (const [files, expected] of [
      [{ caFile: file('other.crt'), ...client() }, /SSL|certificate/i],
      [{ caFile: file('ca.crt') }, /no certificate of ours is set/],
      [{ caFile: file('nowhere.crt'), ...client() }, /nowhere\.crt|certificate/i],
    ] as const) {
      const daemon = await service(files);
      const { exitCode, stdout } = await daemon.cli('cilium', 'preflight');
      const line = stdout.split('\n').find((one) => one.includes(`etcd at ${endpoint}`)) ?? '';
      assert.match(line, expected, stdout);
      assert.equal(exitCode, 1);
      await daemon.stop();
    }
  });
});
