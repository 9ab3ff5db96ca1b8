import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { execa } from 'execa';
import type { ContainerView, OperationView } from '../../../src/model/api.ts';
import { createDaemon, type Daemon, type DaemonOptions } from '../../support/daemon.ts';
import { assertKernelUnchanged, type KernelState, snapshotKernel } from '../../support/kernel.ts';
import { type Container, type ContainerOptions, createContainer, testVmid } from '../../support/lxc.ts';
import { createPluginRig, type PluginRig } from '../../support/scripted-plugin.ts';
import { skip } from '../../support/skip.ts';
import { until } from '../../support/until.ts';

/** Files of a bridge network with our addresses: what most tests join. */
export const web = { 'networks/web.yaml': 'type: bridge\nsubnets: [{ cidr: 10.20.0.0/24, gateway: 10.20.0.1 }]\n' };

export interface RigOptions extends DaemonOptions {
  /** names under which the scripted plugin is installed, in a plugin folder that comes before Debian's */
  scripted?: string[];
  /** environment of the hooks, e.g. PVE_CNI_HOOK_SECONDS */
  hookEnv?: Record<string, string>;
  /** what others leave by design: lines of the kernel's state that may differ afterwards */
  ignore?: RegExp;
  /** the suite flushes all rules: those that other suites left, as the plugins do by design, go before it begins */
  flushes?: boolean;
  /** runs between the making of the service's folders and its start */
  prepare?: (daemon: Daemon) => Promise<void>;
  /** runs at the very end, before the kernel is compared */
  cleanUp?: (daemon: Daemon) => Promise<void>;
}

export interface NewContainer extends Partial<ContainerOptions> {
  /** of containers/VMID.yaml; eth0 on web when absent, a foreign container when null */
  interfaces?: object[] | null;
  onFailure?: 'refuse' | 'start';
}

export interface Rig {
  readonly daemon: Daemon;
  readonly plugins: PluginRig;
  /** a container of the next free number; destroyed after the test */
  container(options?: NewContainer): Promise<Container>;
  /** what `pct destroy` leaves: nothing of the container; its file of ours is ours to care for */
  destroy(container: Container): Promise<void>;
  show(container: Container): Promise<ContainerView>;
  /** newest first, with what each did */
  operations(container: Container): Promise<OperationView[]>;
  /** waits for a state of the first interface */
  untilState(container: Container, state: string): Promise<void>;
  /** start that must be refused; gives what Proxmox would show */
  refused(container: Container): Promise<string>;
  /** what Proxmox prints after a start as warnings of the task; read once */
  warnings(container: Container): string;
  hookscript(container: Container, phase: string): Promise<{ exitCode: number | undefined; stdout: string; stderr: string }>;
  /** the same as the reconcile's verdict, for the middle of a test */
  assertNothingLeft(container: Container): Promise<void>;
}

/** A service of its own for the suite, with containers that end with their test. After every test: nothing leaks (I5),
 *  every operation has an end (I6); after the suite the kernel is as it was before. */
export function useRig(options: RigOptions = {}): Rig {
  let daemon: Daemon | undefined;
  let plugins: PluginRig | undefined;
  let kernel: KernelState;
  let containers: Container[] = [];
  let count = 0;

  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'lifecycle tests need root');
    if (options.flushes) await execa('nft', ['flush', 'ruleset']);
    // some tests flush and delete what may not be theirs: never on a network that leads anywhere
    assert.equal((await execa('ip', ['route', 'show', 'default'])).stdout, '', 'run this by scripts/isolated');
    kernel = await snapshotKernel();
    if (options.scripted) plugins = createPluginRig({}, options.scripted);
    daemon = await createDaemon({
      ...options,
      files: { 'settings.yaml': 'releaseAfterHours: 0\n', ...options.files },
      ...(plugins && { pluginDirs: [plugins.binDir, '/usr/lib/cni'] }),
    });
    daemon.hooks.env = options.hookEnv ?? {};
    // unprivileged containers must be able to enter
    for (const path of [daemon.dir, daemon.lxcPath]) chmodSync(path, 0o711);
    await options.prepare?.(daemon);
    await daemon.start();
  });

  afterEach(async function () {
    const failed = this.currentTest?.state === 'failed';
    if (failed) console.error(lastWords(rig.daemon));
    for (const container of containers) {
      await container.destroy();
      rig.daemon.remove(`containers/${container.vmid}.yaml`);
    }
    containers = [];
    plugins?.forget();
    if (failed) return;
    await rig.daemon.reconciled();
    await untilWell(rig.daemon);
  });

  after(async () => {
    if (!daemon) return;
    // a network that is gone takes its bridge and its rule with it
    for (const file of Object.keys(options.files ?? {})) daemon.remove(file);
    await daemon.reconciled().catch(() => {});
    await until('no bridge of ours is left', async () => !(await ourBridges()), 10).catch(() => {});
    await options.cleanUp?.(daemon);
    await daemon.destroy();
    plugins?.remove();
    await assertKernelUnchanged(kernel, {
      ignore: options.ignore ? new RegExp(`${forwarding.source}|${options.ignore.source}`) : forwarding,
    });
  });

  const rig: Rig = {
    get daemon() {
      return daemon as Daemon;
    },
    get plugins() {
      return plugins as PluginRig;
    },
    async container({ interfaces = [{ name: 'eth0', network: 'web' }], onFailure, ...more } = {}) {
      const { lxcPath, hooks, stateDir } = rig.daemon;
      const vmid = testVmid(++count);
      const container = await createContainer({ lxcPath, vmid, hooks, ...more });
      containers.push(container);
      if (interfaces) {
        rig.daemon.write(`containers/${vmid}.yaml`, JSON.stringify({ interfaces, onFailure }));
        await rig.daemon.reconciled();
        assert.ok(existsSync(`${stateDir}/managed/${vmid}`), 'the guard knows of the container');
      }
      return container;
    },
    async destroy(container) {
      containers = containers.filter((one) => one !== container);
      await container.destroy();
    },
    show: async ({ vmid }) => (await rig.daemon.api('GET', `/v1/containers/${vmid}`)).body,
    async operations({ vmid }) {
      const { body } = await rig.daemon.api('GET', `/v1/operations?vmid=${vmid}&limit=200`);
      return Promise.all(body.map(async ({ id }: OperationView) => (await rig.daemon.api('GET', `/v1/operations/${id}`)).body));
    },
    async untilState(container, state) {
      await until(`eth0 is ${state}`, async () => (await rig.show(container)).interfaces?.[0]?.state === state);
    },
    async refused(container) {
      await assert.rejects(container.start(), /lxc-start .* failed/);
      assert.equal(await container.isRunning(), false);
      return rig.warnings(container);
    },
    warnings({ vmid }) {
      const file = `${rig.daemon.hooks.warningsDir}/ct-${vmid}.warnings`;
      return existsSync(file) ? readFileSync(file, 'utf8') : '';
    },
    async hookscript({ vmid }, phase) {
      const { stateDir, runDir } = rig.daemon;
      const env = { PVE_CNI_STATE_DIR: stateDir, PVE_CNI_RUN_DIR: runDir, ...rig.daemon.hooks.env };
      const { exitCode, stdout, stderr } = await execa(process.execPath, ['dist/hookscript', String(vmid), phase], { env, reject: false });
      return { exitCode, stdout, stderr };
    },
    async assertNothingLeft(container) {
      // LXC says that a start is refused before it ends the init; a pin goes after the last interface
      await until('it is stopped', async () => (await rig.show(container)).interfaces?.every(({ state }) => state === 'stopped'), 5);
      await until('its namespace is not pinned any more', () => !existsSync(`${rig.daemon.netnsDir}/ct${container.vmid}`), 5);
      await untilWell(rig.daemon);
    },
  };
  return rig;
}

/** Stays on once a masqueraded network wanted it: by then others may rely on it. */
const forwarding = /^sysctl (ipv4|ipv6)\//;

async function ourBridges(): Promise<boolean> {
  return (await execa('ip', ['-d', 'link'])).stdout.includes('alias pve-cni:');
}

/** I5 and I6. */
async function untilWell(daemon: Daemon): Promise<void> {
  let wrong = '';
  await until(
    'nothing leaks and every operation has an end',
    async () => {
      const { body: gc } = await daemon.api('POST', '/v1/gc', { dryRun: true });
      const { body: operations } = await daemon.api('GET', '/v1/operations?limit=200');
      wrong = JSON.stringify([gc.leaks, operations.filter((one: OperationView) => one.end === null)]);
      return wrong === '[[],[]]';
    },
    6,
  ).catch((error) => assert.fail(`${error.message}: ${wrong}`));
}

function lastWords(daemon: Daemon): string {
  const lines = daemon.log().trimEnd().split('\n').slice(-12);
  return lines.map((line) => line.slice(0, 400)).join('\n');
}

/** Address of an interface as the container's own `ip` prints it. */
export async function addressesInside(container: Container, ifname = 'eth0'): Promise<string[]> {
  const text = await container.exec(['ip', 'addr', 'show', 'dev', ifname]);
  return [...text.matchAll(/inet6? (\S+) .*scope global/g)].map((match) => (match[1] ?? '').split('/')[0] ?? '');
}

export async function ping(container: Container, address: string, seconds = 5): Promise<void> {
  await container.exec([
    'ping',
    ...(address.includes(':') ? ['-6'] : []),
    '-c',
    '1',
    '-w',
    String(seconds),
    '-W',
    String(seconds),
    address,
  ]);
}
