import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { execa } from 'execa';
import type { ContainerView, OperationView } from '../../src/model/api.ts';
import { createDaemon, type Daemon } from '../support/daemon.ts';
import { assertKernelUnchanged, type KernelState, snapshotKernel } from '../support/kernel.ts';
import { type Container, type ContainerOptions, createContainer, testVmid } from '../support/lxc.ts';
import { until } from '../support/until.ts';
import { binaries } from './binaries.ts';
import { createLab, type Lab, type LabOptions, type Node, needsCilium, nodeSettings } from './lab.ts';

/** Real containers on real agents: on each node of a lab a service, all of one cluster (they share the configuration root). */

export interface CiliumRigOptions extends Omit<LabOptions, 'folders'> {
  /** on how many of the nodes a service runs, from the first; on all when absent */
  services?: number;
  /** each service has a root of its own, as under plain LXC. Where they share one, each takes a container of the other for its own when it
   *  looks for running ones, since they share processes. */
  ownRoots?: boolean;
  /** files below the root */
  files?: Record<string, string>;
  /** keys of pve-cnid.yaml besides `cilium` */
  service?: Record<string, unknown>;
  /** lines of the kernel's state that may differ afterwards */
  ignore?: RegExp;
}

export interface NewContainer extends Partial<ContainerOptions> {
  /** number of its node, from 0 */
  node?: number;
  interfaces?: object[];
  /** more of containers/VMID.yaml */
  file?: Record<string, unknown>;
}

export interface CiliumRig {
  readonly lab: Lab;
  readonly node: Node;
  readonly daemon: Daemon;
  readonly daemons: Daemon[];
  /** a container of the next free number, not started; destroyed after the test */
  container(options?: NewContainer): Promise<Container>;
  /** one that we know nothing of */
  unmanaged(options?: Omit<NewContainer, 'interfaces' | 'file'>): Promise<Container>;
  /** what a migration leaves on its source: nothing of the container, while its file of ours stays */
  leave(container: Container): Promise<void>;
  /** writes containers/VMID.yaml anew */
  configure(container: Container, file: Record<string, unknown>): void;
  show(container: Container, daemon?: Daemon): Promise<ContainerView>;
  address(container: Container, daemon?: Daemon): Promise<string>;
  /** waits until nothing is owed or left over on any node */
  settled(): Promise<void>;
}

/** A network whose addresses the agents give, one that has sticky ones. */
const networks = {
  'networks/pods.yaml': 'type: cilium\n',
  'networks/sticky.yaml': 'type: cilium\nsubnets: [{ cidr: 10.240.0.0/24 }]\nnat: true\n',
};

export function useCilium(options: CiliumRigOptions = {}): CiliumRig {
  const { nodes: count = 1, services = count, files = networks, ownRoots = false } = options;
  let lab: Lab | undefined;
  let daemons: Daemon[] = [];
  let containers: Container[] = [];
  const roots = new Map<number, Daemon>();
  let kernel: KernelState;
  let created = 0;

  before(async function () {
    this.timeout(180_000);
    needsCilium(this);
    assert.equal((await execa('ip', ['route', 'show', 'default'])).stdout, '', 'run this by scripts/isolated');
    kernel = await snapshotKernel();
    for (let index = 1; index <= services; index++)
      daemons.push(
        await createDaemon({
          files: index === 1 || ownRoots ? { 'settings.yaml': 'releaseAfterHours: 0\n', ...files } : {},
          pluginDirs: [binaries, '/usr/lib/cni'],
          settings: { cilium: nodeSettings(index, options), ...options.service },
          ...(daemons[0] && !ownRoots && { root: daemons[0].root }),
        }),
      );
    lab = await createLab({ ...options, folders: daemons });
    for (const [index, daemon] of daemons.entries()) {
      daemon.enter = lab.nodes[index]?.enter ?? [];
      for (const path of [daemon.dir, daemon.lxcPath]) chmodSync(path, 0o711);
      await daemon.start();
    }
  });

  afterEach(async function () {
    this.timeout(120_000);
    const failed = this.currentTest?.state === 'failed';
    if (failed) for (const daemon of daemons) console.error(lastWords(daemon.log()), lastWords(lab?.first.agentLog() ?? ''));
    for (const container of containers) {
      await container.destroy();
      (roots.get(container.vmid) ?? daemons[0])?.remove(`containers/${container.vmid}.yaml`);
    }
    containers = [];
    if (!failed) await rig.settled();
  });

  after(async function () {
    this.timeout(120_000);
    if (!lab) return;
    for (const file of Object.keys(files)) for (const daemon of daemons) daemon.remove(file);
    for (const daemon of daemons) await daemon.reconciled().catch(() => {});
    // the first has the root, which the others need to the end
    for (const daemon of daemons.toReversed()) await daemon.destroy();
    await lab.destroy();
    daemons = [];
    await assertKernelUnchanged(kernel, { ignore: options.ignore ? new RegExp(`${agents.source}|${options.ignore.source}`) : agents });
  });

  const rig: CiliumRig = {
    get lab() {
      return lab as Lab;
    },
    get node() {
      return rig.lab.first;
    },
    get daemon() {
      return daemons[0] as Daemon;
    },
    get daemons() {
      return daemons;
    },
    async container({ node = 0, interfaces = [{ name: 'eth0', network: 'pods' }], file = {}, ...more } = {}) {
      const daemon = daemons[node] as Daemon;
      const vmid = more.vmid ?? testVmid(++created);
      const container = await createContainer({ lxcPath: daemon.lxcPath, vmid, hooks: daemon.hooks, enter: daemon.enter, ...more });
      containers.push(container);
      if (ownRoots) roots.set(vmid, daemon);
      rig.configure(container, { interfaces, ...file });
      await daemon.reconciled();
      return container;
    },
    async unmanaged({ node = 0, ...more } = {}) {
      const daemon = daemons[node] as Daemon;
      const vmid = testVmid(++created);
      const container = await createContainer({ lxcPath: daemon.lxcPath, vmid, hooks: daemon.hooks, enter: daemon.enter, ...more });
      containers.push(container);
      return container;
    },
    async leave(container) {
      containers = containers.filter((one) => one !== container);
      await container.stop();
      await container.destroy();
      await until('its node let it go', async () => !(await rig.show(container)).running);
    },
    configure: ({ vmid }, file) => (roots.get(vmid) ?? rig.daemon).write(`containers/${vmid}.yaml`, JSON.stringify(file)),
    show: async ({ vmid }, daemon = rig.daemon) => (await daemon.api('GET', `/v1/containers/${vmid}`)).body,
    async address(container, daemon) {
      const { interfaces } = await rig.show(container, daemon);
      const [address] = interfaces[0]?.addresses ?? [];
      assert.ok(address, `container ${container.vmid} has an address: ${JSON.stringify(interfaces)}`);
      return address;
    },
    async settled() {
      for (const daemon of daemons) {
        await daemon.reconciled();
        let wrong = '';
        await until(
          'nothing leaks, nothing is owed, every operation has an end',
          async () => {
            const { body: gc } = await daemon.api('POST', '/v1/gc', { dryRun: true });
            const { body: status } = await daemon.api('GET', '/v1/status');
            const { body: operations } = await daemon.api('GET', '/v1/operations?limit=200');
            wrong = JSON.stringify([gc.leaks, status.debts, operations.filter((one: OperationView) => one.end === null)]);
            return wrong === '[[],[],[]]';
          },
          15,
        ).catch((error) => assert.fail(`${error.message}: ${wrong}`));
      }
    },
  };
  return rig;
}

/** What an agent changes for good on a node: sysctls, and the frame of iptables' tables; and the namespaces of other test processes. */
const agents = /^(sysctl|ip6?tables-save|rule) |^netns (lan-|ct)\d+$/;

function lastWords(log: string): string {
  return log
    .trimEnd()
    .split('\n')
    .slice(-12)
    .map((line) => line.slice(0, 400))
    .join('\n');
}

/** Whether a ping comes back within so many seconds. */
export async function reaches(container: Container, address: string, seconds = 5): Promise<boolean> {
  const ping = `ping ${address.includes(':') ? '-6 ' : ''}-c 1 -W 1 ${address}`;
  const script = `end=$(($(date +%s) + ${seconds})); until ${ping}; do [ $(date +%s) -lt $end ] || exit 1; done`;
  return container.exec(['sh', '-c', script]).then(
    () => true,
    () => false,
  );
}
