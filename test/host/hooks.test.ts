// Real LXC containers and the real hooks; the server is a stand-in for the service (test/support/hook-stand-in.ts).
import assert from 'node:assert/strict';
import { readlinkSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type HookPaths, lxcHookPath, renderDropIn } from '../support/drop-in.ts';
import { type Reply, type SeenRequest, type StandIn, startStandIn } from '../support/hook-stand-in.ts';
import { assertKernelUnchanged, type KernelState, snapshotKernel } from '../support/kernel.ts';
import { type Container, type ContainerOptions, createContainer, createLxcPath, removeLxcPath, testVmid } from '../support/lxc.ts';
import { skip } from '../support/skip.ts';

const vmid = testVmid(1);
const ok: Reply = { status: 200, text: 'well\n' };

describe('the LXC hooks of a real container', function () {
  this.timeout(30_000);
  let lxcPath: string;
  let folder: string;
  let hooks: HookPaths & { warningsDir: string };
  let service: StandIn | undefined;
  let container: Container | undefined;
  let kernelBefore: KernelState;

  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'containers need root');
    kernelBefore = await snapshotKernel();
    lxcPath = await createLxcPath();
  });
  beforeEach(async () => {
    folder = await mkdtemp(`${lxcPath}-hooks-`);
    hooks = { stateDir: `${folder}/state`, runDir: `${folder}/run`, warningsDir: `${folder}/pve`, env: { PVE_CNI_CONNECT_SECONDS: '0' } };
    await mkdir(`${hooks.stateDir}/managed`, { recursive: true });
    await mkdir(hooks.warningsDir);
    await manage('refuse');
  });
  afterEach(async () => {
    await container?.destroy();
    await service?.close();
    container = service = undefined;
    await rm(folder, { recursive: true });
  });
  after(async () => {
    if (!lxcPath) return;
    await removeLxcPath(lxcPath);
    // namespaces are pinned by the service alone
    await assertKernelUnchanged(kernelBefore, { ignore: /^(netns|mount) / });
  });

  const manage = (onFailure: 'refuse' | 'start') => writeFile(`${hooks.stateDir}/managed/${vmid}`, `${onFailure}\n`);
  const serve = async (reply: (request: SeenRequest, nth: number) => Reply) => {
    service = await startStandIn(hooks.runDir, reply);
    return service;
  };
  const create = async (options: Partial<ContainerOptions> = {}) => {
    container = await createContainer({ lxcPath, vmid, hooks, ...options });
    return container;
  };
  const warnings = () => readFile(`${hooks.warningsDir}/ct-${vmid}.warnings`, 'utf8').catch(() => '');
  const phasesOf = ({ seen }: StandIn) => seen.map(({ phase, body }) => [phase, body.target].filter(Boolean).join(' '));

  describe('a foreign container', () => {
    for (const [what, foreign] of Object.entries({
      'without a marker': { vmid: testVmid(2) },
      'with a name that is no number': { name: 'web' },
    })) {
      it(`D72 ${what} starts and stops, and the service hears nothing`, async () => {
        const { seen } = await serve(() => ({ status: 500, text: 'no\n' }));
        const foreigner = await create(foreign);
        await foreigner.start();
        await foreigner.stop();
        assert.equal(seen.length, 0);
      });

      it(`A68 ${what} starts and stops when the hook’s binary is gone`, async () => {
        const foreigner = await create({ ...foreign, hooks: { ...hooks, lxcHook: `${folder}/gone` } });
        await foreigner.start();
        await foreigner.stop();
      });
    }
  });

  for (const unprivileged of [false, true]) {
    for (const hookVersion of [0, 1] as const) {
      it(`hook.version ${hookVersion}, ${unprivileged ? 'unprivileged' : 'privileged'}: living namespaces at start-host, stop and inside reboot`, async () => {
        const namespaces: string[] = [];
        const answering = await serve(({ body }) => {
          // read while the hook waits: only then must it be usable
          namespaces.push(readlinkSync(String(body.netns ?? `/proc/${body.pid}/ns/net`)));
          return ok;
        });
        const managed = await create({ unprivileged, hookVersion, init: 'readlink /proc/self/ns/net' });
        await managed.start();
        const firstPid = await managed.initPid();
        const firstNamespace = (await managed.readInside('/boot.log')).trim();
        await managed.rebootFromInside();
        const secondPid = await managed.initPid();
        const secondNamespace = (await managed.readInside('/boot.log')).trim();
        await managed.stop();
        assert.deepEqual(phasesOf(answering), ['start-host', 'stop reboot', 'start-host', 'stop stop']);
        assert.deepEqual(namespaces, [firstNamespace, firstNamespace, secondNamespace, secondNamespace]);
        assert.deepEqual([answering.seen[0]?.body.pid, answering.seen[2]?.body.pid], [firstPid, secondPid]);
        assert.notEqual(firstPid, secondPid);
      });
    }
  }

  it('D54 poweroff inside and a killed init: one stop each', async () => {
    const answering = await serve(() => ok);
    const managed = await create();
    await managed.start();
    await managed.poweroffFromInside();
    await managed.start();
    await managed.killInit();
    assert.deepEqual(phasesOf(answering), ['start-host', 'stop stop', 'start-host', 'stop stop']);
  });

  describe('a refused start', () => {
    const reason = 'cannot add eth0: every address of "web" is taken; widen `range`';

    it('fails before init runs, and the reason is where Proxmox shows it', async () => {
      const answering = await serve(({ phase }) => (phase === 'start-host' ? { status: 409, text: `${reason}\n` } : ok));
      const managed = await create();
      await assert.rejects(managed.start(), /Script exited with status 1/);
      assert.equal(await warnings(), `pve-cni: ${reason}\n`);
      assert.equal(await managed.readInside('/ready'), '');
      await managed.untilStopped();
      assert.deepEqual(phasesOf(answering), ['start-host', 'stop stop']);
    });

    it('under plain LXC is told in a file, until a start passes', async () => {
      const kept = () => readFile(`${hooks.runDir}/refused/${vmid}`, 'utf8').catch(() => '');
      const plain = { ...hooks, warningsDir: `${folder}/no-proxmox` };
      await serve(({ phase }, nth) => (phase === 'start-host' && nth === 1 ? { status: 409, text: `${reason}\n` } : ok));
      const managed = await create({ hooks: plain });
      await assert.rejects(managed.start());
      assert.equal(await kept(), `${reason}\n`);
      await managed.untilStopped();
      await managed.start();
      assert.equal(await kept(), '');
    });

    it('is not held up by a reason of 60 kB with control characters, and shows one line of it', async () => {
      await serve(({ phase }) => (phase === 'start-host' ? { status: 502, text: `bad\x1b[2J\r\t${'x'.repeat(60_000)}\n` } : ok));
      const managed = await create();
      await assert.rejects(managed.start());
      assert.match(await warnings(), /^pve-cni: bad\[2J {1}x{900,990}\n$/);
    });

    it('inside reboot: the second life is refused and the container stays down', async () => {
      const answering = await serve((_, nth) => (nth === 3 ? { status: 409, text: `${reason}\n` } : ok));
      const managed = await create();
      await managed.start();
      await managed.requestReboot();
      await managed.untilStopped();
      assert.deepEqual(phasesOf(answering).slice(0, 3), ['start-host', 'stop reboot', 'start-host']);
      assert.equal(await managed.readInside('/ready'), '');
    });
  });

  it('D72 service absent: the managed container is refused with what to do, and starts when its file says so', async () => {
    const managed = await create();
    await assert.rejects(managed.start());
    assert.match(await warnings(), /^pve-cni: the service is not there .*; see systemctl status pve-cni\n$/);
    await managed.untilStopped();
    await manage('start');
    await managed.start();
    assert.match(await warnings(), /starts without its network: the service is not there/);
    await managed.stop();
  });

  it('D73 service accepts and never answers: start and stop end at the hook’s deadline', async () => {
    await serve(() => 'hang');
    const managed = await create({ hooks: { ...hooks, env: { PVE_CNI_HOOK_SECONDS: '1' } } });
    await assert.rejects(managed.start());
    assert.match(await warnings(), /did not answer within 1 s/);
    await managed.untilStopped();
  });

  it('D48 a stop is not blocked by a refusal, and the hooks behind ours still run', async () => {
    await serve(({ phase }) => (phase === 'stop' ? { status: 500, text: 'cannot delete\n' } : ok));
    const managed = await create({ config: [`lxc.hook.stop = /usr/bin/touch ${folder}/behind`] });
    await managed.start();
    await managed.stop();
    await readFile(`${folder}/behind`);
  });

  describe('the hook’s binary missing', () => {
    it('refuses the start of a managed container with the reason, unless its file says `start`', async () => {
      const managed = await create({ hooks: { ...hooks, lxcHook: `${folder}/gone` } });
      await assert.rejects(managed.start());
      assert.match(await warnings(), /gone is missing: container \d+ is not started without its network; reinstall pve-cni\n$/);
      await managed.untilStopped();
      await manage('start');
      await managed.start();
    });

    it('never blocks the stop, nor the hooks behind ours', async () => {
      await serve(() => ok);
      await copyFile(lxcHookPath, `${folder}/lxc-hook`);
      const managed = await create({
        hooks: { ...hooks, lxcHook: `${folder}/lxc-hook` },
        config: [`lxc.hook.stop = /usr/bin/touch ${folder}/behind`],
      });
      await managed.start();
      await rm(`${folder}/lxc-hook`);
      await managed.stop();
      await readFile(`${folder}/behind`);
    });
  });

  describe('D74 beside Proxmox’s drop-in, whose post-stop exits 1 on an inside reboot', () => {
    for (const order of [
      ['01-pve.conf', '50-pve-cni.conf'],
      ['50-pve-cni.conf', '01-pve.conf'],
    ]) {
      it(`read in the order ${order.join(', ')}: one effective stop, and the next start is seen`, async () => {
        const answering = await serve(() => ok);
        const proxmox = `lxc.hook.post-stop = /bin/sh -c '[ "$LXC_TARGET" != reboot ]' pve-poststop\n`;
        await writeFile(`${folder}/01-pve.conf`, proxmox);
        await writeFile(`${folder}/50-pve-cni.conf`, renderDropIn(hooks));
        const managed = await createContainer({ lxcPath, vmid, config: order.map((file) => `lxc.include = ${folder}/${file}`) });
        container = managed;
        await managed.start();
        await managed.requestReboot();
        await managed.untilStopped();
        assert.deepEqual(phasesOf(answering), ['start-host', 'stop reboot']);
        await managed.start();
        await managed.stop();
        assert.deepEqual(phasesOf(answering), ['start-host', 'stop reboot', 'start-host', 'stop stop']);
      });
    }
  });
});
