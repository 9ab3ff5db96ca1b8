// The units of Proxmox that ours are ordered with are stand-ins of this file: they do nothing but take time and start containers.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { execa } from 'execa';
import { buildPackage, withVersion } from '../package/packages.ts';
import { openRoot, type Root, rootFolders } from '../package/root.ts';
import { skip } from '../support/skip.ts';
import { until } from '../support/until.ts';

const minutes = 60_000;

/** what Proxmox's units are in the order of a boot */
const units: Record<string, string> = {
  'pve-cluster.service': '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sleep 1\n',
  'pve-ha-lrm.service': '[Unit]\nAfter=pve-cluster.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n',
  'pve-guests.service':
    '[Unit]\nAfter=lxc.service pve-ha-lrm.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/systemctl start --no-block pve-container@101\n',
  'pve-container@.service':
    '[Service]\nType=simple\nDelegate=yes\nKillMode=mixed\nTimeoutStopSec=20\nExecStart=/usr/bin/lxc-start -F -n %i\nExecStop=/usr/bin/lxc-stop -k -n %i\n',
  // somebody's own unit, which knows nothing of our order
  'early.service':
    '[Unit]\nDefaultDependencies=no\nAfter=pve-cni.socket systemd-tmpfiles-setup.service\n[Service]\nDelegate=yes\nKillMode=mixed\nExecStart=/usr/bin/lxc-start -F -n 102\n',
  // what it does takes half a minute here
  'lxc.service.d/test.conf': '[Service]\nExecStart=\nExecStart=/bin/true\n',
  'pve-cni.service.d/test.conf': '[Service]\nWatchdogSec=20\nTimeoutStartSec=180\n',
};

describe('the units under a real systemd, in one boot of a virtual machine', function () {
  this.timeout(8 * minutes);
  const folders = rootFolders('systemd-run');
  const out = mkdtempSync(join(tmpdir(), 'pve-cni-vm-'));
  const facts = new Map<string, string>();

  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root');
    for (const [tool, name] of [
      ['qemu-system-x86_64', 'qemu-system-x86'],
      ['dh', 'debhelper'],
      ['debootstrap', 'debootstrap'],
    ] as const)
      if (spawnSync(tool, ['--version']).error) skip(this, `${tool} is not installed (Debian: ${name})`);
    await prepareRoot();
    const script = `mkdir -p "$1/merged" && mount -t overlay -o "lowerdir=$2,upperdir=$1/up,workdir=$1/work" root "$1/merged" && exec test/vm/run -m 2048 -t 400 -r "$1/merged" /usr/local/sbin/vm-test`;
    const { all } = await execa(
      'unshare',
      ['--mount', '--propagation', 'private', 'bash', '-c', script, 'vm', folders.upper, resolve('.cache/roots/trixie')],
      {
        all: true,
        reject: false,
        env: { VM_OUT: out },
      },
    );
    for (const line of all.split('\n')) {
      const at = line.indexOf(': ');
      if (at > 0) facts.set(line.slice(0, at), line.slice(at + 2));
    }
    mkdirSync('.cache/reports', { recursive: true });
    spawnSync('cp', [join(out, 'journal'), '.cache/reports/vm-journal.log']);
    if (!facts.has('removal')) throw new Error(`the machine did not come to its end:\n${all.split('\n').slice(-40).join('\n')}`);
  });
  after(() => {
    folders.remove();
    rmSync(out, { recursive: true, force: true });
  });

  const time = (what: string) => {
    const found = Number(facts.get(what));
    assert.ok(found > 0, `${what}: ${facts.get(what)}`);
    return found;
  };
  const yes = (...whats: string[]) =>
    assert.deepEqual(
      whats.map((what) => [what, facts.get(what)]),
      whats.map((what) => [what, 'yes']),
    );

  it('start after the cluster filesystem, and before whoever starts containers', () => {
    assert.ok(time('pve-cluster active') <= time('pve-cni begun'));
    for (const unit of ['pve-ha-lrm', 'pve-guests', 'lxc', 'pve-container@101'])
      assert.ok(time('pve-cni active') <= time(`${unit} begun`), unit);
    assert.equal(facts.get('drop-in'), '1');
    assert.equal(facts.get('ordering cycles'), '0');
    assert.equal(facts.get('failed units')?.includes('pve-c'), false, facts.get('failed units'));
  });

  it('give its network to a container that was started before the service, and to one after it', () => {
    assert.ok(time('early begun') < time('pve-cni active'));
    yes('102 attached', '101 attached', '102 reached', '101 reached');
  });

  it('keep socket and folder to root, and the service in the mount namespace of the host', () => {
    assert.equal(facts.get('folder'), '700 root');
    assert.equal(facts.get('socket'), '600 root');
    assert.match(facts.get('mounts') ?? '', /"state":"ok"/);
  });

  it('start the service that was stopped when somebody connects', () => {
    assert.equal(facts.get('after stop'), 'inactive active');
    yes('answers a connection');
    assert.equal(facts.get('after connection'), 'active');
    assert.equal(facts.get('101 still attached'), '"attached"');
  });

  it('restart a service that hangs', () => {
    yes('answers after a hang', '101 attached at the end');
    assert.notEqual(Number(facts.get('watchdog')), 0);
  });

  it('are upgraded beneath containers, whose traffic went on through all of this', () => {
    assert.equal(facts.get('upgrade'), '0');
    yes('answers after upgrade', 'socket kept by upgrade');
    assert.equal(facts.get('units after upgrade'), 'enabled enabled active');
    const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(facts.get('traffic') ?? '') ?? [];
    // one may be on its way
    assert.ok(Number(sent) > 10 && Number(sent) - Number(received) <= 1, facts.get('traffic'));
  });

  it('are gone when the package is removed, and the container starts without them', () => {
    assert.equal(facts.get('removal'), '0');
    assert.equal(facts.get('after removal')?.trim(), 'not-found not-found');
    yes('101 starts without us');
  });

  /** Installs the package of another build, and what a node looks like after its first day: two containers that were attached. */
  async function prepareRoot(): Promise<void> {
    const file = await buildPackage();
    const previous = await withVersion(file, '0.0.9');
    const binds = { [resolve('.cache/packages')]: '/packages', [folders.archives]: '/var/cache/apt/archives' };
    const online = await openRoot({ ...folders, binds, online: true });
    try {
      await online.sh('apt-get update -qq', 120);
      await online.sh(
        `apt-get install -y --no-install-recommends systemd lxc busybox-static iputils-ping kmod /packages/${basename(previous)}`,
        240,
      );
    } finally {
      await online.close();
    }
    const root = await openRoot({ ...folders, binds, online: false });
    try {
      await root.write(
        '/etc/pve-cni/cluster/networks/web.yaml',
        'type: bridge\nsubnets: [{ cidr: 10.20.0.0/24, gateway: 10.20.0.1 }]\nnat: true\n',
      );
      for (const vmid of [101, 102]) await makeContainer(root, vmid);
      const daemon = root.background('/usr/bin/node /usr/lib/pve-cni/pve-cnid.mjs');
      await until('the service answers', async () => (await root.attempt('pve-cni status')).status === 0, 60);
      for (const vmid of [101, 102]) await root.sh(`pve-cni container attach ${vmid} eth0=web --address 10.20.0.${vmid - 50}`);
      await daemon.stop('TERM');
      for (const [unit, text] of Object.entries(units)) await root.write(`/etc/systemd/system/${unit}`, text);
      await root.sh(`cd /etc/systemd/system && mkdir -p multi-user.target.wants sysinit.target.wants
        for unit in pve-cluster pve-ha-lrm pve-guests early; do ln -s ../$unit.service multi-user.target.wants/; done
        for unit in lxc-net.service getty.target getty-static.service ldconfig.service systemd-journal-catalog-update.service; do ln -sf /dev/null $unit; done
        rm /usr/sbin/policy-rc.d
        cp /packages/${basename(file)} /root/next.deb; echo vm > /etc/hostname`);
    } finally {
      await root.close();
    }
    mkdirSync(join(folders.upper, 'up/usr/local/sbin'), { recursive: true });
    copyFileSync('test/vm/systemd.sh', join(folders.upper, 'up/usr/local/sbin/vm-test'));
  }

  async function makeContainer(root: Root, vmid: number): Promise<void> {
    await root.write(
      '/tmp/lxc.conf',
      'lxc.net.0.type = empty\nlxc.apparmor.profile = unconfined\nlxc.include = /usr/share/lxc/config/common.conf\n',
    );
    // its init would ask for an address by DHCP
    await root.sh(`lxc-create -n ${vmid} -t busybox -f /tmp/lxc.conf && sed -i /udhcpc/d /var/lib/lxc/${vmid}/rootfs/etc/init.d/rcS`);
  }
});
