import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { execa } from 'execa';
import { addressesInside, ping, useRig, web } from './rig.ts';

describe('the state on the disk', () => {
  const rig = useRig({
    files: web,
    // small enough to be filled
    prepare: async ({ stateDir }) => void (await execa('mount', ['-t', 'tmpfs', '-o', 'size=8m,mode=700', 'tmpfs', stateDir])),
    cleanUp: async (daemon) => {
      await daemon.stop();
      await execa('umount', [daemon.stateDir]);
    },
  });
  const stateFiles = () =>
    readdirSync(rig.daemon.stateDir)
      .filter((name) => name.startsWith('state.db'))
      .map((name) => `${rig.daemon.stateDir}/${name}`);
  const status = async () => (await rig.daemon.api('GET', '/v1/status')).body;

  const faults = {
    'D69 lost': () => {
      for (const file of stateFiles()) rmSync(file);
    },
    'D69 corrupt': () => {
      for (const file of stateFiles()) writeFileSync(file, 'this is no database '.repeat(1000));
    },
    'D50 truncated to nothing': () => {
      for (const file of stateFiles()) truncateSync(file);
    },
  };
  for (const [what, damage] of Object.entries(faults)) {
    it(`${what}: rebuilt and said so; a running container keeps its network and is detached cleanly`, async () => {
      const container = await rig.container();
      await container.start();
      const before = await rig.show(container);
      await rig.daemon.kill9();
      damage();
      await rig.daemon.start();
      await rig.daemon.reconciled();
      const after = await rig.show(container);
      assert.equal(after.containerId, before.containerId, 'the same life goes on');
      assert.equal(after.interfaces[0]?.state, 'attached');
      assert.deepEqual(await addressesInside(container), before.interfaces[0]?.addresses);
      await ping(container, '10.20.0.1');
      await container.stop();
      await rig.assertNothingLeft(container);
      await container.start();
      const again = await rig.show(container);
      assert.notEqual(again.containerId, before.containerId);
      assert.deepEqual(again.interfaces[0]?.addresses, before.interfaces[0]?.addresses, 'the address is the cluster’s, not the journal’s');
      assert.match((await status()).notices.join(' '), /state was rebuilt/);
    });
  }

  it('lost together with a container that was stopped meanwhile: its leftovers go', async () => {
    const container = await rig.container();
    await container.start();
    await rig.daemon.kill9();
    await container.stop();
    for (const file of stateFiles()) rmSync(file);
    await rig.daemon.start();
    await rig.daemon.reconciled();
    await rig.assertNothingLeft(container);
  });

  for (const [what, size] of [
    ['empty', 0],
    ['half written', 100],
  ] as const) {
    it(`D50 the plugins’ cache ${what} after a power cut: the stop is clean, the next start works`, async () => {
      const container = await rig.container();
      await container.start();
      await rig.daemon.kill9();
      const folder = `${rig.daemon.cacheDir}/results`;
      assert.notEqual(readdirSync(folder).length, 0);
      for (const name of readdirSync(folder)) truncateSync(`${folder}/${name}`, size);
      await rig.daemon.start();
      await container.stop();
      await rig.assertNothingLeft(container);
      assert.deepEqual(readdirSync(folder), []);
      await container.start();
      await ping(container, '10.20.0.1');
    });
  }

  it('D51 the disk is full: the start is refused, nothing is half done, and all is well when there is room', async () => {
    const container = await rig.container();
    const running = await rig.container();
    await running.start();
    const filler = `${rig.daemon.stateDir}/filler`;
    fill(filler);
    assert.match(await rig.refused(container), /state\.db|disk/);
    assert.equal((await rig.daemon.api('POST', '/v1/hooks/pre-start', { vmid: container.vmid })).body.code, 'STATE_WRITE_FAILED');
    await ping(running, '10.20.0.1');
    // a stop is never held up by it
    await running.stop();
    assert.ok(statSync(filler).size > 0);
    rmSync(filler);
    await rig.daemon.reconciled();
    await rig.assertNothingLeft(container);
    await rig.assertNothingLeft(running);
    await container.start();
    await ping(container, '10.20.0.1');
  });

  function fill(path: string) {
    const file = openSync(path, 'w');
    for (const bytes of [65_536, 4096])
      try {
        for (;;) writeSync(file, Buffer.alloc(bytes));
      } catch (error) {
        assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
      }
    closeSync(file);
  }
});
