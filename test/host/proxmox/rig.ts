import assert from 'node:assert/strict';
import { chmodSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import type { ContainerView } from '../../../src/model/api.ts';
import { createDaemon, type Daemon, type DaemonOptions } from '../../support/daemon.ts';
import { assertKernelUnchanged, type KernelState, snapshotKernel } from '../../support/kernel.ts';
import { type Container, createContainer, testVmid } from '../../support/lxc.ts';
import { mountPmxcfs, type Pmxcfs } from '../../support/pmxcfs.ts';
import { until } from '../../support/until.ts';

export type Node = 'pve1' | 'pve2';
export const nodes: readonly Node[] = ['pve1', 'pve2'];
const web = 'type: bridge\nsubnets: [{ cidr: 10.20.0.0/24, gateway: 10.20.0.1 }]\n';

/** Two nodes of a Proxmox cluster: a service each, with a host name of its own and a mount of the cluster filesystem (a stand-in). They
 *  share the network namespace, and with it what networks need. */
export interface ClusterRig {
  readonly pmxcfs: Pmxcfs;
  readonly daemon: Record<Node, Daemon>;
  /** number for a container of this test */
  vmid(): number;
  /** a container as LXC of that node has it, and Proxmox; it ends with its test */
  container(node: Node, vmid?: number): Promise<Container>;
  /** from pve1 to pve2, which share the machine: what runs must be LXC's of one of them only */
  migrate(container: Container): Promise<Container>;
  /** until the guard of that node knows of a container: its service looks every two seconds */
  untilMarked(node: Node, vmid: number): Promise<void>;
  attach(node: Node, vmid: number, body?: object): ReturnType<Daemon['api']>;
  show(node: Node, vmid: number): Promise<ContainerView>;
  /** the files of the reserved addresses of a container: address → what it says */
  reservations(vmid: number): Record<string, { ifname: string; node: string; attempt: string; releaseAt: number | null }>;
  /** a file below the root, by this node's mount; null when it is not there */
  file(node: Node, path: string): string | null;
  reconciled(): Promise<void>;
}

export function useCluster(
  options: DaemonOptions & { lockSeconds?: number; perNode?: Partial<Record<Node, DaemonOptions>> } = {},
): ClusterRig {
  let pmxcfs: Pmxcfs | undefined;
  let kernel: KernelState;
  const daemon = {} as Record<Node, Daemon>;
  let containers: { node: Node; container: Container }[] = [];
  let count = 0;

  before(async function () {
    assert.equal((await execa('ip', ['route', 'show', 'default'])).stdout, '', 'run this by scripts/isolated');
    kernel = await snapshotKernel();
    pmxcfs = await mountPmxcfs(this, nodes, { lockSeconds: options.lockSeconds ?? 5 });
    for (const node of nodes) {
      const pveDir = pmxcfs.path(node);
      const own = options.perNode?.[node] ?? {};
      const settings = { pveDir, ...options.settings, ...own.settings };
      const files = node === 'pve1' ? { 'settings.yaml': 'releaseAfterHours: 1\n', 'networks/web.yaml': web, ...options.files } : {};
      daemon[node] = await createDaemon({ ...options, ...own, settings, files, root: join(pveDir, 'cni') });
      Object.assign(daemon[node], { enter: ['unshare', '--uts', 'sh', '-c', `hostname ${node}; exec "$@"`, 'sh'] });
      for (const path of [daemon[node].dir, daemon[node].lxcPath]) chmodSync(path, 0o711);
    }
    await Promise.all(nodes.map((node) => daemon[node].start()));
  });

  afterEach(async function () {
    if (this.currentTest?.state === 'failed')
      for (const node of nodes) console.error(node, daemon[node].log().split('\n').slice(-12).join('\n').slice(-4000));
    for (const node of nodes) {
      pmxcfs?.blocked(node, false);
      await pmxcfs?.mount(node);
      pmxcfs?.quorum(node, true);
    }
    for (const { container } of containers) await container.destroy();
    for (const vmid of new Set(containers.map(({ container }) => container.vmid)))
      for (const node of nodes) {
        if (rig.file(node, `../nodes/${node}/lxc/${vmid}.conf`) !== null) pmxcfs?.remove(node, vmid);
        daemon.pve1.remove(`containers/${vmid}.yaml`);
      }
    containers = [];
  });

  after(async () => {
    if (!pmxcfs) return;
    daemon.pve1?.remove('networks/web.yaml');
    for (const node of nodes) await daemon[node]?.reconciled().catch(() => {});
    await until('no bridge is left', async () => !(await execa('ip', ['-d', 'link'])).stdout.includes('alias pve-cni:'), 30).catch(
      () => {},
    );
    for (const node of nodes) await daemon[node]?.destroy();
    await pmxcfs.destroy();
    await assertKernelUnchanged(kernel, { ignore: /^sysctl (ipv4|ipv6)\// });
  });

  const rig: ClusterRig = {
    get pmxcfs() {
      return pmxcfs as Pmxcfs;
    },
    daemon,
    vmid: () => testVmid(++count),
    async container(node, vmid = rig.vmid()) {
      const { lxcPath, hooks } = daemon[node];
      const container = await createContainer({ lxcPath, vmid, hooks });
      containers.push({ node, container });
      const places = JSON.parse(readFileSync(join(rig.pmxcfs.path(node), '.vmlist'), 'utf8'));
      if (!places.ids[vmid]) rig.pmxcfs.write(node, vmid);
      return container;
    },
    async untilMarked(node, vmid) {
      await until('the guard knows of it', () => existsSync(join(daemon[node].stateDir, 'managed', String(vmid))), 30);
    },
    async migrate(container) {
      await container.destroy();
      containers = containers.filter((one) => one.container !== container);
      rig.pmxcfs.migrate(container.vmid, 'pve1', 'pve2');
      await rig.untilMarked('pve2', container.vmid);
      return rig.container('pve2', container.vmid);
    },
    attach: (node, vmid, body = { name: 'eth0', network: 'web' }) =>
      daemon[node].api('POST', `/v1/containers/${vmid}/interfaces`, { interface: { address: 'auto', ...body } }),
    show: async (node, vmid) => (await daemon[node].api('GET', `/v1/containers/${vmid}`)).body,
    reservations(vmid) {
      const folder = join(rig.pmxcfs.path('pve1'), 'cni/addresses/web');
      const found = (existsSync(folder) ? readdirSync(folder).filter((name) => !name.startsWith('.')) : []).map((address) => [
        address,
        JSON.parse(readFileSync(join(folder, address), 'utf8')),
      ]);
      return Object.fromEntries(found.filter(([, claim]) => claim.vmid === vmid));
    },
    file(node, path) {
      try {
        return readFileSync(join(rig.pmxcfs.path(node), 'cni', path), 'utf8');
      } catch {
        return null; // not existsSync: what another node removed is seen for a second more
      }
    },
    async reconciled() {
      for (const node of nodes) await daemon[node].reconciled();
    },
  };
  return rig;
}
