// Stand-in: a temporary folder with a `local` link or folder takes the place of Proxmox's cluster filesystem.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDeadline } from '../../../src/config/deadline.ts';
import { stateOfRoot } from '../../../src/config/root.ts';
import { createRig, onWeb, type Rig, web } from './rig.ts';

describe('the root of the configuration', () => {
  let mount: string;
  beforeEach(() => {
    mount = mkdtempSync(join(tmpdir(), 'pve-cni-mount-'));
    mkdirSync(join(mount, 'cni'));
  });
  afterEach(() => rmSync(mount, { recursive: true }));

  it('below a cluster filesystem that is not mounted is not there, although its folder is', async () => {
    mkdirSync(join(mount, 'local'));
    assert.equal((await stateOfRoot(join(mount, 'cni'), mount)).readable, false);
    rmSync(join(mount, 'local'), { recursive: true });
    assert.match((await stateOfRoot(join(mount, 'cni'), mount)).reason ?? '', /not mounted/);
  });

  it('below a mounted and quorate cluster filesystem is there and can be written', async () => {
    symlinkSync('nodes/one', join(mount, 'local'));
    assert.deepEqual(await stateOfRoot(join(mount, 'cni'), mount), { readable: true, authoritative: true, writable: true });
    assert.equal((await stateOfRoot(join(mount, 'absent'), mount)).readable, false);
  });

  it('elsewhere needs no mount, only the folder itself', async () => {
    chmodSync(join(mount, 'cni'), 0o755);
    assert.deepEqual(await stateOfRoot(join(mount, 'cni')), { readable: true, authoritative: true, writable: true });
    assert.equal((await stateOfRoot(join(mount, 'absent'))).readable, false);
  });

  it('a look that hangs is given up, and none is begun while it hangs', async () => {
    const limited = createDeadline(20);
    let end = (_text: string) => {};
    const hanging = new Promise<string>((resolve) => {
      end = resolve;
    });
    await assert.rejects(
      limited('look', () => hanging),
      { code: 'ETIMEDOUT' },
    );
    let begun = false;
    await assert.rejects(
      limited('look again', async () => {
        begun = true;
      }),
      { code: 'ETIMEDOUT' },
    );
    assert.equal(begun, false);
    end('late');
    await new Promise(setImmediate);
    assert.equal(await limited('look', async () => 'there'), 'there');
  });
});

describe('a thousand containers', () => {
  let rig: Rig;
  before(() => {
    rig = createRig();
    rig.write('networks/web.yaml', web);
    for (let vmid = 1000; vmid < 2000; vmid++) rig.write(`containers/${vmid}.yaml`, onWeb);
  });
  after(() => rig.end());

  it('are read in less than a second, and one of them is looked at again in less than 3 ms', async () => {
    const configuration = rig.start();
    const begin = performance.now();
    assert.equal((await configuration.refresh()).containers.size, 1000);
    assert.ok(performance.now() - begin < 1000, `first scan ${performance.now() - begin} ms`);
    const times: number[] = [];
    for (let round = 0; round < 30; round++) {
      const start = performance.now();
      await configuration.refresh(1500);
      times.push(performance.now() - start);
    }
    // the fastest: what the work costs, not what else the machine does meanwhile
    const fastest = Math.min(...times);
    assert.ok(fastest < 3, `at best ${fastest} ms`);
  });
});
