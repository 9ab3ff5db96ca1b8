// The cluster filesystem is a stand-in: test/support/pmxcfs.py. Services, containers and their networks are real.
import assert from 'node:assert/strict';
import { until } from '../../support/until.ts';
import { addressesInside } from '../lifecycle/rig.ts';
import { nodes, useCluster } from './rig.ts';

describe('a node of a Proxmox cluster', function () {
  this.timeout(120_000);
  const rig = useCluster();
  const root = async () => (await rig.daemon.pve1.api('GET', '/v1/status')).body.root;

  it('that loses quorum in the middle of an attach refuses it, writes nothing, and leaves what runs alone', async () => {
    const old = await rig.container('pve1');
    await rig.attach('pve1', old.vmid);
    await old.start();
    const held = rig.reservations(old.vmid);
    const fresh = await rig.container('pve1');
    const another = await rig.container('pve1');
    await rig.reconciled();

    rig.pmxcfs.blocked('pve1', true);
    const answer = rig.attach('pve1', fresh.vmid);
    await rig.pmxcfs.untilWaits('pve1');
    // while a write hangs everything else goes on
    assert.equal((await rig.daemon.pve1.api('GET', `/v1/containers/${old.vmid}`)).status, 200);
    await old.stop();
    await old.start();
    assert.deepEqual(await addressesInside(old), Object.keys(held));
    rig.pmxcfs.quorum('pve1', false);
    rig.pmxcfs.blocked('pve1', false);
    const { status, body } = await answer;
    assert.deepEqual([status, body.code], [503, 'IPAM_READ_ONLY'], JSON.stringify(body));
    assert.match(body.detail, /restore quorum/);

    await until('the service knows', async () => (await root()).writable === false, 30);
    for (const vmid of [fresh.vmid, another.vmid]) {
      const refused = await rig.attach('pve1', vmid);
      assert.match(refused.body.code, /IPAM_READ_ONLY|CONFIG_UNAVAILABLE/);
      assert.match(refused.body.detail, /quorum/);
    }
    assert.deepEqual(rig.reservations(fresh.vmid), {});
    assert.equal(rig.file('pve1', `containers/${fresh.vmid}.yaml`), null);
    await rig.daemon.pve1.reconciled();
    assert.deepEqual(rig.reservations(old.vmid), held, 'nothing is released');
    await old.rebootFromInside();
    assert.deepEqual(await addressesInside(old), Object.keys(held));
    const doctor = (await rig.daemon.pve1.api('GET', '/v1/doctor')).body;
    assert.match(JSON.stringify(doctor), /restore quorum/);

    rig.pmxcfs.quorum('pve1', true);
    await until('quorum is back', async () => (await root()).writable === true, 30);
    assert.equal((await rig.attach('pve1', fresh.vmid)).status, 200);
    assert.equal(Object.keys(rig.reservations(fresh.vmid)).length, 1);
    assert.deepEqual(rig.reservations(old.vmid), held);
    await old.stop();
  });

  it('whose cluster filesystem dies or is not mounted releases nothing, and what runs can reboot', async () => {
    const container = await rig.container('pve1');
    await rig.attach('pve1', container.vmid);
    await container.start();
    await rig.reconciled();
    const before = await addressesInside(container);
    for (const away of ['dead', 'unmounted']) {
      if (away === 'dead') await rig.pmxcfs.kill('pve1');
      else rig.pmxcfs.unmount('pve1');
      await until('the service knows', async () => (await root()).available === false, 30);
      await rig.daemon.pve1.reconciled();
      await container.rebootFromInside();
      assert.deepEqual(await addressesInside(container), before, away);
      await rig.daemon.pve2.reconciled();
      // the other node sees nothing of it
      const { body } = await rig.daemon.pve2.api('GET', '/v1/addresses');
      assert.deepEqual(
        body.map((one: { vmid: number; state: string }) => [one.vmid, one.state]),
        [[container.vmid, 'reserved']],
      );
      if (away === 'dead') rig.pmxcfs.unmount('pve1');
      await rig.pmxcfs.mount('pve1');
      await until('the service knows', async () => (await root()).writable === true, 30);
      await rig.reconciled();
      assert.deepEqual(Object.keys(rig.reservations(container.vmid)), before);
    }
    for (const node of nodes) assert.deepEqual((await rig.daemon[node].api('POST', '/v1/gc', { dryRun: true })).body.leaks, [], node);
    await container.stop();
  });
});
