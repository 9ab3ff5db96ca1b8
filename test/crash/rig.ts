import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import type { OperationView } from '../../src/model/api.ts';
import { createDaemon, type Daemon } from '../support/daemon.ts';
import { assertKernelUnchanged, type KernelState, snapshotKernel } from '../support/kernel.ts';
import { type Container, createContainer, testVmid } from '../support/lxc.ts';
import { skip } from '../support/skip.ts';
import { until } from '../support/until.ts';
import { assertInvariants } from './invariants.ts';

/** `web`: our bridge, bridge + static, addresses of our store. `plain`: people's own list of three plugins. */
const web = `type: bridge
subnets: [{ cidr: 10.20.0.0/24, gateway: 10.20.0.1 }, { cidr: 'fd00:20::/64', gateway: 'fd00:20::1' }]
nat: true
`;
const plainBridge = 'cnicrash0';
const plain = (dataDir: string) => ({
  cniVersion: '1.0.0',
  name: 'plain',
  plugins: [
    {
      type: 'bridge',
      bridge: plainBridge,
      isGateway: true,
      ipam: { type: 'host-local', dataDir, ranges: [[{ subnet: '10.73.0.0/24' }]] },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
    { type: 'firewall', backend: 'iptables' },
  ],
});

export const eth0 = { name: 'eth0', network: 'web' };
export const eth1 = { name: 'eth1', network: 'plain' };

export interface CrashRig {
  readonly daemon: Daemon;
  readonly containers: readonly Container[];
  /** writes a container's file; null removes it */
  configure(container: Container, interfaces: object[] | null): void;
  /** what killed the service before is over: one whole reconcile, then every invariant holds */
  settled(): Promise<void>;
  /** the newest operation of a kind, with its spans */
  operation(kind: string, vmid?: number): Promise<OperationView>;
}

/** A service that does nothing by itself but one reconcile at its start, with `count` containers on two networks each. */
export function useCrashRig({ count, settings = {} }: { count: number; settings?: Record<string, unknown> }): CrashRig {
  let daemon: Daemon;
  let dataDir: string;
  let kernel: KernelState;
  const containers: Container[] = [];

  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'crash tests need root');
    kernel = await snapshotKernel();
    daemon = await createDaemon({ settings: { reconcileSeconds: 3600, livenessSeconds: 60, ...settings } });
    dataDir = join(daemon.dir, 'host-local');
    daemon.write('settings.yaml', 'releaseAfterHours: 0\n');
    daemon.write('networks/web.yaml', web);
    daemon.write('networks/plain.conflist', JSON.stringify(plain(dataDir)));
    for (let n = 1; n <= count; n++) {
      containers.push(await createContainer({ lxcPath: daemon.lxcPath, vmid: testVmid(n), hooks: daemon.hooks }));
      rig.configure(containers.at(-1) as Container, [eth0, eth1]);
    }
    await daemon.start();
    await rig.settled();
  });
  afterEach(async function () {
    if (this.currentTest?.state !== 'failed') return;
    console.error(daemon.log().split('\n').slice(-60).join('\n'));
    await daemon.kill9();
    await daemon.start();
    for (const container of containers) await container.stop();
  });
  after(async () => {
    if (!daemon) return;
    // it may have been left with a kill point
    await daemon.kill9();
    await daemon.start();
    for (const container of containers) {
      await container.destroy();
      rig.configure(container, null);
    }
    for (const file of ['web.yaml', 'plain.conflist']) daemon.remove(`networks/${file}`);
    await until('nothing is left', async () => {
      await daemon.reconciled();
      return !(await execa('ip', ['-d', 'link'])).stdout.includes('pve-cni:');
    }).catch((error) => console.error(String(error)));
    await daemon.destroy();
    // made by a plugin of people's own list: nobody's to remove but theirs
    await execa('ip', ['link', 'delete', plainBridge], { reject: false });
    rmSync(dataDir, { recursive: true, force: true });
    // chains that the reference plugins make once for all, and forwarding, stay by their design
    await assertKernelUnchanged(kernel, { ignore: /^sysctl |CNI-|nft \{"(table|chain)"|\*filter :/ });
  });

  const rig: CrashRig = {
    get daemon() {
      return daemon;
    },
    containers,
    configure({ vmid }, interfaces) {
      const file = `containers/${vmid}.yaml`;
      if (interfaces) daemon.write(file, JSON.stringify({ interfaces }));
      else daemon.remove(file);
    },
    async settled() {
      await daemon.reconciled();
      await assertInvariants(daemon, { sticky: ['web'], hostLocal: { plain: dataDir } });
    },
    async operation(kind, vmid) {
      const { body } = await daemon.api('GET', `/v1/operations?limit=50${vmid === undefined ? '' : `&vmid=${vmid}`}`);
      const found = body.find((one: OperationView) => one.kind === kind && one.outcome === 'ok');
      return (await daemon.api('GET', `/v1/operations/${found?.id}`)).body;
    },
  };
  return rig;
}

/** Every edge of every span of an operation, as the service's environment names it. */
export function killPoints({ kind, spans }: OperationView): string[] {
  const times = new Map<string, number>();
  const starts = spans.map(({ name }) => {
    times.set(name, (times.get(name) ?? 0) + 1);
    return { name, nth: times.get(name) ?? 1 };
  });
  return starts.flatMap(({ name, nth }) => ['begin', 'end'].map((edge) => `${kind}/${name}:${edge}:${nth}`));
}

export const killEnv = (point: string | undefined): Record<string, string> => (point ? { PVE_CNI_TEST_KILL_AT: point } : {});

/** Waits until the service died at its kill point, or `work`, in whose midst it was to die, is over without it: a few steps
 *  are taken only when something is slow. Returns whether it died. */
export async function diesDuring(daemon: Daemon, point: string, work: Promise<unknown>): Promise<boolean> {
  let how: 'dead' | 'over' | null = null;
  void daemon.untilDead().then(() => {
    how = 'dead';
  });
  const over = () => {
    how ??= 'over';
  };
  work.then(over, over);
  await until(`the service dies at ${point}`, () => how, 60);
  // a kill cuts the connection, which may be seen before the death
  if (how === 'over') await until('death', () => how === 'dead', 0.5).catch(() => {});
  return how === 'dead';
}

/** What a run over kill points came to. */
export function createTally() {
  const failures: string[] = [];
  const missed: string[] = [];
  let deaths = 0;
  return {
    fail: (point: string | undefined) => (error: Error) => void failures.push(`${point}: ${error.message}`),
    died(point: string, dead: boolean) {
      if (dead) deaths += 1;
      else missed.push(point);
    },
    /** @throws AssertionError when anything failed, or more than a few points were never passed */
    conclude() {
      console.log(`      killed at ${deaths} points${missed.length > 0 ? `; not passed this time: ${missed.join(', ')}` : ''}`);
      assert.deepEqual(failures, []);
      assert.ok(missed.length * 8 <= deaths, 'the points are passed');
    },
  };
}
