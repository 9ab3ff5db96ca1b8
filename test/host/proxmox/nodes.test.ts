// The cluster filesystem is a stand-in: test/support/pmxcfs.py. Services, containers and their networks are real.
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../support/until.ts';
import { addressesInside } from '../lifecycle/rig.ts';
import { nodes, useCluster } from './rig.ts';

describe('nodes of a Proxmox cluster', function () {
  this.timeout(120_000);
  const perNode = { pve1: { pluginDirs: ['/usr/lib/cni'] } };
  before(() => {
    const extra = mkdtempSync('/var/lib/pve-cni-test-plugins-');
    copyFileSync('/usr/lib/cni/bridge', join(extra, 'lanbridge'));
    perNode.pve1.pluginDirs.unshift(extra);
  });
  after(() => rmSync(perNode.pve1.pluginDirs[0] ?? '', { recursive: true }));
  const rig = useCluster({ pluginDirs: ['/usr/lib/cni'], perNode });
  const archived = (vmid: number) =>
    readdirSync(join(rig.pmxcfs.path('pve1'), 'cni/archive')).filter((name) => name.startsWith(`${vmid}-`));
  const addressOf = (vmid: number) => Object.keys(rig.reservations(vmid)).join(' ');

  it('run a container from a file that the cluster filesystem holds: attach, start, stop, detach', async () => {
    const container = await rig.container('pve1');
    const { vmid } = container;
    assert.equal((await rig.attach('pve1', vmid)).status, 200);
    assert.match(rig.file('pve2', `containers/${vmid}.yaml`) ?? '', /network: web/);
    for (const node of nodes) await rig.untilMarked(node, vmid);
    await container.start();
    assert.deepEqual(await addressesInside(container), [addressOf(vmid)]);
    await container.stop();
    assert.equal((await rig.daemon.pve1.api('DELETE', `/v1/containers/${vmid}/interfaces/eth0`)).status, 200);
    assert.deepEqual(rig.reservations(vmid), {});
    assert.equal(rig.file('pve2', `containers/${vmid}.yaml`), null);
  });

  it('race for one address: one wins, the other is told who has it', async () => {
    const [one, other] = [rig.vmid(), rig.vmid()];
    rig.pmxcfs.write('pve1', one);
    rig.pmxcfs.write('pve2', other);
    const body = { name: 'eth0', network: 'web', address: ['10.20.0.77'] };
    const answers = await Promise.all([rig.attach('pve1', one, body), rig.attach('pve2', other, body)]);
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409], JSON.stringify(answers.map(({ body }) => body)));
    const lost = answers.find(({ status }) => status === 409);
    assert.match(lost?.body.code, /IPAM_ADDRESS_TAKEN|CONFIG_INVALID/);
    assert.equal([...Object.keys(rig.reservations(one)), ...Object.keys(rig.reservations(other))].join(), '10.20.0.77');
    for (const [node, vmid] of [
      ['pve1', one],
      ['pve2', other],
    ] as const) {
      await rig.daemon[node].api('DELETE', `/v1/containers/${vmid}/interfaces/eth0`);
      rig.pmxcfs.remove(node, vmid);
    }
  });

  it('give many interfaces that come at once an address each, and none two', async () => {
    const vmids = Array.from({ length: 8 }, () => rig.vmid());
    const nodeOf = (index: number) => nodes[index % 2] ?? 'pve1';
    for (const [index, vmid] of vmids.entries()) rig.pmxcfs.write(nodeOf(index), vmid);
    const answers = await Promise.all(vmids.map((vmid, index) => rig.attach(nodeOf(index), vmid)));
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
    await rig.reconciled();
    const addresses = vmids.map(addressOf);
    assert.equal(new Set(addresses).size, 8, addresses.join());
    assert.ok(
      addresses.every((address) => /^10\.20\.0\.\d+$/.test(address)),
      addresses.join(),
    );
    for (const [index, vmid] of vmids.entries()) rig.pmxcfs.remove(nodeOf(index), vmid);
  });

  it('change one container at once: no change is lost, and who came second is told', async () => {
    const { vmid } = await rig.container('pve1');
    const wanted: string[] = [];
    for (let round = 0; round < 5; round++) {
      const names = nodes.map((_node, index) => `eth${round * 2 + index}`);
      const answers = await Promise.all(nodes.map((node, index) => rig.attach(node, vmid, { name: names[index], network: 'web' })));
      for (const [index, { status, body }] of answers.entries()) {
        assert.ok(status === 200 || body.code === 'CONFLICT', JSON.stringify(body));
        if (status === 200) wanted.push(names[index] ?? '');
      }
    }
    const file = rig.file('pve1', `containers/${vmid}.yaml`) ?? '';
    assert.deepEqual([...file.matchAll(/name: "?(eth\d+)/g)].map(([, name]) => name).sort(), wanted.sort(), file);
    await rig.reconciled();
    assert.equal(Object.keys(rig.reservations(vmid)).length, wanted.length, 'and no address is left of the others');
  });

  it('are asked for one interface at once: who came second leaves the first its address', async () => {
    const { vmid } = await rig.container('pve1');
    for (let round = 0; round < 3; round++) {
      const body = { name: 'eth0', network: 'web' };
      const answers = await Promise.all(nodes.map((node) => rig.attach(node, vmid, body)));
      assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409], JSON.stringify(answers.map(({ body }) => body)));
      assert.match(addressOf(vmid), /^10\.20\.0\.\d+$/, 'it is still reserved');
      assert.equal((await rig.daemon.pve1.api('DELETE', `/v1/containers/${vmid}/interfaces/eth0`)).status, 200);
    }
  });

  it('prepare nothing for a container that is still to be made: who makes it would get it', async () => {
    const vmid = rig.vmid();
    for (const node of nodes) {
      const { status, body } = await rig.attach(node, vmid);
      assert.deepEqual([status, body.code], [404, 'CONTAINER_GONE'], JSON.stringify(body));
    }
    assert.equal(rig.file('pve1', `containers/${vmid}.yaml`), null);
    assert.deepEqual(rig.reservations(vmid), {});
  });

  it('archive what was destroyed right after it was attached, before anybody has looked', async () => {
    const vmid = rig.vmid();
    rig.pmxcfs.write('pve1', vmid);
    assert.equal((await rig.attach('pve1', vmid)).status, 200);
    rig.pmxcfs.remove('pve1', vmid);
    await until('its file is archived', () => rig.file('pve1', `containers/${vmid}.yaml`) === null, 30);
  });

  it('do not write a reservation again that is as it was', async () => {
    const container = await rig.container('pve1');
    await rig.attach('pve1', container.vmid);
    await rig.reconciled();
    const before = rig.reservations(container.vmid);
    for (let round = 0; round < 3; round++) await rig.reconciled();
    assert.deepEqual(rig.reservations(container.vmid), before);
  });

  it('keep a container’s address over a migration: the target takes it over by its number', async () => {
    const container = await rig.container('pve1');
    const { vmid } = container;
    await rig.attach('pve1', vmid);
    await container.start();
    const address = addressOf(vmid);
    await container.stop();
    const there = await rig.migrate(container);
    assert.match(JSON.stringify(await rig.daemon.pve2.api('POST', '/v1/hooks/pre-start', { vmid })), /ready to join/);
    await there.start();
    assert.deepEqual(await addressesInside(there), [address]);
    await rig.reconciled();
    const held = rig.reservations(vmid);
    assert.deepEqual(
      Object.entries(held).map(([key, { node }]) => [key, node]),
      [[address, 'pve2']],
    );
    // and goes on being the target's, whatever the source looks at
    await rig.reconciled();
    assert.deepEqual(rig.reservations(vmid), held);
    await there.stop();
  });

  it('keep it when the first node was fenced, and give it nobody when that comes back', async () => {
    const container = await rig.container('pve1');
    const { vmid } = container;
    await rig.attach('pve1', vmid);
    await container.start();
    const address = addressOf(vmid);
    await rig.daemon.pve1.kill9();
    await container.killMonitor();
    const there = await rig.migrate(container);
    await there.start();
    assert.deepEqual(await addressesInside(there), [address]);
    await rig.daemon.pve1.start({ PVE_CNI_TEST_BOOT_ID: 'after the fence' });
    await rig.reconciled();
    assert.deepEqual(
      Object.entries(rig.reservations(vmid)).map(([key, { node }]) => [key, node]),
      [[address, 'pve2']],
    );
    assert.deepEqual(await addressesInside(there), [address]);
    for (const node of nodes) assert.deepEqual((await rig.daemon[node].api('POST', '/v1/gc', { dryRun: true })).body.leaks, [], node);
    await there.stop();
  });

  it('archive what was destroyed once, keep its addresses from others, and let a new one of its number inherit nothing', async () => {
    const { vmid } = await rig.container('pve1');
    await rig.attach('pve1', vmid);
    await rig.reconciled();
    const address = addressOf(vmid);
    rig.pmxcfs.remove('pve1', vmid);
    await until('its file is archived', () => rig.file('pve1', `containers/${vmid}.yaml`) === null, 30);
    rig.pmxcfs.write('pve2', vmid);
    await rig.reconciled();
    assert.equal(archived(vmid).length, 1);
    assert.equal(rig.file('pve2', `containers/${vmid}.yaml`), null);
    const kept = rig.reservations(vmid)[address];
    assert.ok((kept?.releaseAt ?? 0) > Date.now(), 'it is kept for an hour');
    const other = rig.vmid();
    rig.pmxcfs.write('pve2', other);
    const taken = await rig.attach('pve2', other, { name: 'eth0', network: 'web', address: [address] });
    assert.equal(taken.body.code, 'IPAM_ADDRESS_TAKEN');
    assert.match(taken.body.detail, /kept for container .*restore/);
    rig.pmxcfs.remove('pve2', other);

    const back = await rig.daemon.pve2.cli('container', 'restore', String(vmid));
    assert.equal(back.exitCode, 0, back.stderr);
    assert.match(back.stdout, /has its networks back \(eth0 on web\)/);
    assert.equal(rig.reservations(vmid)[address]?.releaseAt, null);
    const again = await rig.daemon.pve2.cli('container', 'restore', String(vmid));
    assert.match(again.stderr, /it has some/);
    await rig.daemon.pve2.api('DELETE', `/v1/containers/${vmid}/interfaces/eth0`);
    rig.pmxcfs.remove('pve2', vmid);
  });

  it('leave a clone without networks, whatever of its original Proxmox copied', async () => {
    const original = await rig.container('pve1');
    await rig.attach('pve1', original.vmid);
    const clone = await rig.container('pve1');
    rig.pmxcfs.write('pve1', clone.vmid, 'hostname: clone\nhookscript: local:snippets/pve-cni-hook\ntags: web\n');
    await rig.reconciled();
    await clone.start();
    assert.equal((await rig.daemon.pve1.api('GET', `/v1/containers/${clone.vmid}`)).status, 404);
    assert.deepEqual(rig.reservations(clone.vmid), {});
    await clone.stop();
  });

  it('say which networks they can make, once a change, and refuse a start that cannot be, with the reason', async () => {
    const conflist = { cniVersion: '1.0.0', name: 'lan', plugins: [{ type: 'lanbridge', bridge: 'lanbr0', ipam: {} }] };
    rig.daemon.pve1.write('networks/lan.conflist', JSON.stringify(conflist));
    await rig.reconciled();
    await rig.reconciled();
    const shown = await rig.daemon.pve2.cli('network', 'show', 'lan');
    assert.match(shown.stdout, /nodes +pve1; pve2: .*lanbridge/);
    const { body } = await rig.daemon.pve1.api('GET', '/v1/networks/lan');
    assert.deepEqual(
      body.nodes.map((one: { node: string; ready: boolean; online: boolean }) => [one.node, one.ready, one.online]),
      [
        ['pve1', true, true],
        ['pve2', false, true],
      ],
    );
    const report = join(rig.pmxcfs.path('pve1'), 'cni/nodes/pve2.json');
    const before = [readFileSync(report, 'utf8'), statSync(report).mtimeMs];
    for (let round = 0; round < 3; round++) await rig.reconciled();
    assert.deepEqual([readFileSync(report, 'utf8'), statSync(report).mtimeMs], before, 'it is not written again');

    const container = await rig.container('pve1');
    const { vmid } = container;
    assert.equal((await rig.attach('pve1', vmid, { name: 'eth0', network: 'lan' })).status, 200);
    const there = await rig.migrate(container);
    const refused = await rig.daemon.pve2.api('POST', '/v1/hooks/pre-start', { vmid });
    assert.ok(refused.status >= 400, JSON.stringify(refused));
    assert.match(refused.body.detail, /lanbridge.*network "lan" is ready on: pve1/);
    await assert.rejects(there.start(), /lxc-start .* failed/);
    rig.daemon.pve1.remove('networks/lan.conflist');
  });

  it('keep everything of a container that is restored over itself', async () => {
    const { vmid } = await rig.container('pve1');
    await rig.attach('pve1', vmid);
    await rig.reconciled();
    const before = rig.reservations(vmid);
    // Proxmox's restore never takes the file away: it is locked, then written anew
    rig.pmxcfs.write('pve1', vmid, 'lock: create\n');
    await rig.reconciled();
    rig.pmxcfs.write('pve1', vmid);
    await rig.reconciled();
    assert.deepEqual(rig.reservations(vmid), before);
    assert.match(rig.file('pve1', `containers/${vmid}.yaml`) ?? '', /network: web/);
  });
});
