// No systemd runs here: the service is started as its unit would. test/vm/systemd.test.ts has the units under a real one. Builds before
// this one are this one with another version number.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { basename, resolve } from 'node:path';
import { execa } from 'execa';
import { skip } from '../support/skip.ts';
import { until } from '../support/until.ts';
import { buildPackage, withVersion } from './packages.ts';
import { type Background, openRoot, type Root, rootFolders } from './root.ts';

const minutes = 60_000;
const service = '/usr/bin/node /usr/lib/pve-cni/pve-cnid.mjs';
/** what the package, its dependencies' caches, and this test may change; everything else is others' */
const ours = ['/proc', '/sys', '/dev', '/run', '/tmp', '/packages', '/var/lib/dpkg', '/var/cache', '/var/log', '/var/lib/lxc', '/oldroot'];

describe('the package', function () {
  this.timeout(3 * minutes);
  const folders = rootFolders('package-run');
  const spare = rootFolders('package-spare');
  const packages = resolve('.cache/packages');
  const binds = { [packages]: '/packages', [folders.archives]: '/var/cache/apt/archives' };
  let file: string;
  let root: Root;
  let daemon: Background;

  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root');
    for (const [tool, name] of [
      ['dh', 'debhelper'],
      ['debootstrap', 'debootstrap'],
    ] as const)
      if (spawnSync(tool, ['--version']).error) skip(this, `${tool} is not installed (Debian: ${name})`);
    file = await buildPackage();
  });
  after(async () => {
    await root?.close();
    folders.remove();
    spare.remove();
  });

  const inside = (path: string) => `/packages/${basename(path)}`;
  const installed = () => root.sh(`dpkg-query -W -f '\${Version} \${db:Status-Status}' pve-cni`);
  const start = async () => {
    daemon = root.background(service);
    await until('the service answers', async () => (await root.attempt('pve-cni status')).status === 0, 60);
  };
  /** attached, or why not */
  const stateOf = async (vmid: number) => {
    const { status, output } = await root.attempt(`pve-cni container show ${vmid} --json`);
    return status === 0 ? (JSON.parse(output).interfaces[0]?.state ?? JSON.parse(output).interfaces[0]?.phase) : output;
  };

  it('is clean for lintian', async function () {
    if (spawnSync('lintian', ['--version']).error) skip(this, 'lintian is not installed (Debian: lintian)');
    const { all } = await execa('lintian', ['--fail-on', 'error,warning', file], { all: true, reject: false });
    assert.equal(all.replace('running with root privileges is not recommended!', '').trim(), '');
  });

  describe('on Debian 13', () => {
    let before: string;

    it('is installed by two commands, with all that it needs, and its files are as they were packed', async () => {
      const previous = await withVersion(file, '0.0.9');
      const online = await openRoot({ ...folders, binds, online: true });
      try {
        await online.sh('apt-get update -qq', 120);
        await online.sh(`apt-get install -y ${inside(previous)}`, 170);
        await online.sh('apt-get install -y busybox-static iputils-ping', 60);
      } finally {
        await online.close();
      }
      root = await openRoot({ ...folders, binds, online: false });
      assert.equal(await installed(), '0.0.9 installed');
      assert.equal(await root.sh('dpkg -V pve-cni'), '');
      assert.match(await root.read('/etc/pve-cni/pve-cnid.yaml'), /^root: \/etc\/pve-cni\/cluster$/m);
    });

    it('does not bring Debian’s LXC to a node that has Proxmox’s', async () => {
      const online = await openRoot({ upper: spare.upper, binds, online: true });
      try {
        await online.write(
          '/tmp/lxc-pve',
          'Package: lxc-pve\nStatus: install ok installed\nMaintainer: none <none@none.invalid>\nArchitecture: amd64\nVersion: 6.0.5-3\nConflicts: lxc\nDescription: stand-in\n\n',
        );
        await online.sh('cat /tmp/lxc-pve >> /var/lib/dpkg/status; rm /tmp/lxc-pve; apt-get update -qq', 120);
        const plan = await online.sh(`apt-get install -s ${inside(file)}`);
        assert.match(plan, /^Inst pve-cni /m);
        assert.doesNotMatch(plan, /^(Inst lxc |Remv )/m);
      } finally {
        await online.close();
      }
    });

    it('brings a command, man pages and completion that work', async () => {
      assert.match(await root.sh('pve-cni --version'), /^\d+\.\d+\.\d+$/);
      for (const page of ['man8/pve-cni.8', 'man8/pve-cnid.8', 'man5/pve-cnid.yaml.5'])
        assert.match(await root.sh(`zcat /usr/share/man/${page}.gz`), /^\.SH NAME$/m);
      const complete = 'COMP_WORDS=(pve-cni net); COMP_CWORD=1; _pve_cni; printf %s "$COMPREPLY"';
      assert.equal(await root.sh(`. /usr/share/bash-completion/completions/pve-cni; ${complete}`), 'network');
    });

    it('serves a container through the hooks that it installed, found by LXC’s own common.conf', async () => {
      before = await manifest();
      await start();
      await root.write(
        '/etc/pve-cni/cluster/networks/web.yaml',
        'type: bridge\nsubnets: [{ cidr: 10.20.0.0/24, gateway: 10.20.0.1 }]\nnat: true\n',
      );
      await makeContainer(101);
      await until('the network is known', async () => /\bweb\b/.test(await root.sh('pve-cni network list')), 30);
      await root.sh('pve-cni container attach 101 eth0=web --address 10.20.0.50');
      await root.sh('lxc-start -n 101');
      assert.equal(await stateOf(101), 'attached');
      await untilReached();
      assert.match(await root.read('/var/log/pve-cni/audit.log'), /"kind":"attach","vmid":101/);
    });

    it('is upgraded beneath a running container, whose traffic goes on', async () => {
      const ping = root.background('ping -i 0.2 10.20.0.50');
      await until('answers come', () => ping.output().includes('icmp_seq=3'), 30);
      await root.sh(`dpkg -i ${inside(file)}`);
      await daemon.stop('TERM');
      await start();
      assert.doesNotMatch(await installed(), /^0\.0\.9/);
      assert.equal(await stateOf(101), 'attached');
      await ping.stop('INT');
      const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(ping.output()) ?? [];
      // one may be on its way
      assert.ok(Number(sent) - Number(received) <= 1, ping.output().split('\n').slice(-3).join('\n'));
      assert.equal(await root.sh('dpkg -V pve-cni'), '');
    });

    it('refuses to go back behind a state that a newer version wrote, and goes on as it is', async () => {
      const version = await installed();
      const write = (sql: string) =>
        root.sh(`cd /usr/lib/pve-cni && node -e "new (require('better-sqlite3'))('/var/lib/pve-cni/state.db').pragma('${sql}')"`);
      await write('user_version = 99');
      const { status, output } = await root.attempt('dpkg -i /packages/pve-cni_0.0.9_amd64.deb');
      assert.notEqual(status, 0);
      assert.match(
        output,
        /not installed: the state \/var\/lib\/pve-cni\/state\.db has version 99, and this package knows versions up to \d/,
      );
      assert.equal(await installed(), version);
      await root.sh('pve-cni status');
      const known = /"known":(\d+)/.exec((await root.attempt('pve-cnid --check-state')).output)?.[1];
      await write(`user_version = ${known}`);
    });

    it('is removed: the running container keeps its traffic, and starts again without any of us', async () => {
      await daemon.stop('TERM');
      await root.sh('nft add table bridge pve_cni_gate'); // somebody waits behind it
      await root.sh('dpkg -r pve-cni');
      assert.doesNotMatch(await root.sh('nft list tables'), /gate/);
      await untilReached();
      await root.sh('lxc-stop -k -n 101 && lxc-start -n 101');
      assert.equal(await root.sh('lxc-info -s -H -n 101'), 'RUNNING');
      assert.equal(await root.sh('ls /run/netns 2> /dev/null | wc -l'), '0');
      // of the first life nothing is left
      await until('the interface ends with its namespace', async () => (await root.sh('ls /sys/class/net/cnibr-web/brif')) === '', 30);
      await root.sh('lxc-stop -k -n 101');
    });

    it('is installed again with what it knew, and the container has its address again', async () => {
      await root.sh(`dpkg -i ${inside(file)}`);
      await start();
      await root.sh('lxc-start -n 101');
      await untilReached();
      assert.equal(await stateOf(101), 'attached');
    });

    it('is purged, and nothing of it is left: no file, no bridge, no rule, and nobody else’s file has changed', async () => {
      await root.sh('lxc-stop -k -n 101');
      await daemon.stop('TERM');
      await root.sh('lxc-destroy -n 101');
      await root.write('/etc/systemd/system/pve-cni-cilium.service', '# written by pve-cni cilium install\n');
      await root.write('/etc/systemd/system/pve-cni-etcd.service', '# somebody’s own\n');
      await root.sh('dpkg -P pve-cni');
      assert.equal(await root.sh('cd /etc/systemd/system; ls pve-cni*; rm pve-cni*'), 'pve-cni-etcd.service');
      assert.equal(
        await root.sh('ls -d /etc/pve-cni /var/lib/pve-cni /run/pve-cni /var/log/pve-cni /usr/lib/pve-cni 2> /dev/null || true'),
        '',
      );
      assert.equal(await root.sh('ls /sys/class/net'), 'lo');
      assert.equal(await root.sh('nft list tables'), '');
      await root.sh(`dpkg -i /packages/pve-cni_0.0.9_amd64.deb`);
      assert.deepEqual(difference(before, await manifest()), []);
      await root.sh('dpkg -P pve-cni');
    });
  });

  describe('on Proxmox', () => {
    const api = '/usr/share/perl5/PVE/API2.pm';
    const shim = '/etc/perl/PVE/API2.pm';
    const snippet = '/var/lib/vz/snippets/pve-cni-hook';
    const reloads = '/tmp/reloads';
    const config = (node: string, vmid: number) => `/etc/pve/nodes/${node}/lxc/${vmid}.conf`;
    const exists = async (path: string) => (await root.attempt(`[ -e ${path} ] || [ -L ${path} ]`)).status === 0;
    const listOf = (folder: string) => root.sh(`find ${folder} | sort | xargs ls -ld --time-style=+`);
    let proxmox: string;

    before(async function () {
      if (!root) skip(this, 'there is no root: its installation failed');
      // stand-ins for the files of a node that maintainer scripts look at, and for `pct set`
      // and for its triggers, at which its daemons read the API anew: whether they find the loader then
      const reload = `#!/bin/sh\n[ "$1" != triggered ] || { [ -e ${shim} ] && echo with || echo without; } >> ${reloads}\n`;
      proxmox = await standInPackage('pve-manager', {
        [api]: 'package PVE::API2;\n1;\n',
        '/DEBIAN/triggers': 'interest-noawait pve-api-updates\ninterest-noawait /usr/share/perl5/PVE\n',
        '/DEBIAN/postinst': reload,
      });
      await root.write(
        '/usr/sbin/pct',
        '#!/bin/sh\n[ "$1 $3 $4" = "set --delete hookscript" ] && sed -i /^hookscript:/d /etc/pve/local/lxc/$2.conf\n',
      );
      await root.sh(
        'chmod 755 /usr/sbin/pct; mkdir -p /var/lib/vz /etc/pve/nodes/one/lxc /etc/pve/nodes/two/lxc; ln -s nodes/one /etc/pve/local',
      );
    });
    afterEach(() => root.sh('dpkg -P pve-cni; rm -f /proxmox_install_mode'));

    it('writes nothing into an /etc/pve that is not mounted, nor where Proxmox is being installed', async () => {
      await root.sh(`dpkg -i ${proxmox}`);
      await root.sh(`dpkg -i ${inside(file)}`);
      assert.match(await root.read('/etc/pve-cni/pve-cnid.yaml'), /^root: \/etc\/pve\/cni$/m);
      assert.equal(await exists('/etc/pve/cni'), false);
      await root.sh('dpkg -P pve-cni; touch /etc/pve/local/pve-ssl.pem /proxmox_install_mode');
      await root.sh(`dpkg -i ${inside(file)}`);
      assert.equal(await exists('/etc/pve/cni'), false);
    });

    it('adds its loader, hookscript and folder, and takes loader and hookscript back', async () => {
      const before = await listOf('/etc/perl /var/lib/vz /usr/share/perl5/PVE');
      const lastReload = () => root.sh(`tail -n 1 ${reloads}; rm ${reloads}`);
      await root.sh(`rm -f ${reloads}; dpkg -i ${inside(file)}`);
      assert.equal(await lastReload(), 'with');
      assert.equal(await root.read(shim), await root.read('/usr/share/pve-cni/API2.pm'));
      assert.equal(await root.sh(`readlink -f ${snippet}`), '/usr/share/pve-cni/hookscript');
      assert.equal(await exists('/etc/pve/cni'), true);
      assert.equal(await root.sh('dpkg -V'), '');
      await root.sh('dpkg -r pve-cni');
      assert.equal(await lastReload(), 'without');
      assert.equal(
        (await listOf('/etc/perl /var/lib/vz /usr/share/perl5/PVE')).replace(/^.*\/snippets\n?/m, ''),
        before.replace(/^.*\/snippets\n?/m, ''),
      );
    });

    it('is installed and removed over what one that was cut off left', async () => {
      const leave = `ln -sfn /usr/share/pve-cni/hookscript ${snippet}.new`;
      await root.sh(`mkdir -p ${snippet.replace(/\/[^/]*$/, '')}; ${leave}; dpkg -i ${inside(file)}`);
      assert.equal(await root.sh(`readlink ${snippet}`), '/usr/share/pve-cni/hookscript');
      await root.write(config('two', 102), 'arch: amd64\nhookscript: local:snippets/pve-cni-hook\n');
      await root.sh(`${leave}; dpkg -r pve-cni`);
      assert.match(await root.read(snippet), /left by pve-cni/);
      await root.sh(`rm ${config('two', 102)}; dpkg -P pve-cni`);
      assert.equal(await exists(`${snippet}.new`), false);
    });

    it('leaves a loader of somebody else alone, and says so', async () => {
      await root.write(shim, 'package PVE::API2; # another add-on\n1;\n');
      assert.match(await root.sh(`dpkg -i ${inside(file)}`), /somebody else's and is left alone/);
      await root.sh('dpkg -r pve-cni');
      assert.match(await root.read(shim), /another add-on/);
      await root.sh(`rm -r ${shim}`);
    });

    it('is removed with containers that name its hookscript: here they lose the property, elsewhere a harmless one stays for them', async () => {
      await root.sh(`dpkg -i ${inside(file)}`);
      for (const [node, vmid] of [
        ['one', 101],
        ['two', 102],
      ] as const)
        await root.write(config(node, vmid), 'arch: amd64\nhookscript: local:snippets/pve-cni-hook\n');
      await root.sh('dpkg -r pve-cni');
      assert.equal(await root.read(config('one', 101)), 'arch: amd64');
      assert.equal(await root.sh(`${snippet} 102 pre-start`), '');
      // it is ours again with the package, and goes when nobody names it any more
      await root.sh(`dpkg -i ${inside(file)}`);
      assert.equal(await root.sh(`readlink ${snippet}`), '/usr/share/pve-cni/hookscript');
      await root.sh('dpkg -r pve-cni');
      assert.equal(await exists(snippet), true);
      await root.sh(`rm ${config('two', 102)}; dpkg -P pve-cni`);
      assert.equal(await exists(snippet), false);
    });

    it('notices that Proxmox comes after it, and that it goes', async () => {
      await root.sh('dpkg -P pve-manager');
      await root.sh(`dpkg -i ${inside(file)}`);
      assert.equal(await exists(shim), false);
      await root.sh(`dpkg -i ${proxmox}`);
      assert.equal(await exists(shim), true);
      await root.sh('dpkg -P pve-manager');
      assert.equal(await exists(shim), false);
    });
  });

  /** A package that stands for one of Proxmox's: files of its paths. */
  async function standInPackage(name: string, files: Record<string, string>): Promise<string> {
    for (const [path, text] of Object.entries(files)) await root.write(`/tmp/${name}${path}`, text);
    await root.write(
      `/tmp/${name}/DEBIAN/control`,
      `Package: ${name}\nVersion: 9\nArchitecture: all\nMaintainer: none <none@none.invalid>\nDescription: stand-in\n`,
    );
    await root.sh(`chmod -R 755 /tmp/${name}/DEBIAN && dpkg-deb -b /tmp/${name} /tmp/${name}.deb`);
    return `/tmp/${name}.deb`;
  }

  /** Every file that is not ours, with mode, owner and content. */
  async function manifest(): Promise<string> {
    const others = `find / \\( ${ours.map((path) => `-path ${path}`).join(' -o ')} \\) -prune -o`;
    return root.sh(`{ ${others} -printf '%p %m %U:%G %l\\n'; ${others} -type f -print0 | xargs -0 md5sum; } | sort`, 120);
  }

  async function makeContainer(vmid: number): Promise<void> {
    await root.write(
      '/tmp/lxc.conf',
      `lxc.net.0.type = empty\nlxc.apparmor.profile = unconfined\nlxc.include = /usr/share/lxc/config/common.conf\nlxc.signal.halt = SIGUSR1\n`,
    );
    // its init would ask for an address by DHCP
    await root.sh(`lxc-create -n ${vmid} -t busybox -f /tmp/lxc.conf && sed -i /udhcpc/d /var/lib/lxc/${vmid}/rootfs/etc/init.d/rcS`);
  }

  async function untilReached(): Promise<void> {
    await until('the container answers', async () => (await root.attempt('ping -c 1 -W 1 10.20.0.50')).status === 0, 30);
  }
});

function difference(one: string, other: string): string[] {
  const [left, right] = [new Set(one.split('\n')), new Set(other.split('\n'))];
  return [
    ...[...left].filter((line) => !right.has(line)).map((line) => `- ${line}`),
    ...[...right].filter((line) => !left.has(line)).map((line) => `+ ${line}`),
  ];
}
