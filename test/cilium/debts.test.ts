import assert from 'node:assert/strict';
import { execa } from 'execa';
import { until } from '../support/until.ts';
import { gateway } from './lab.ts';
import { reaches, useCilium } from './rig.ts';

describe('clean-ups that are owed while the container lives on', () => {
  const rig = useCilium({
    files: { 'networks/pods.yaml': 'type: cilium\n', 'networks/lan.yaml': 'type: cilium\nmode: chained\non: vmbr0\n' },
    service: { reconcileSeconds: 3600 },
  });
  const endpointOf = async (vmid: number) => (await rig.node.agent.endpoints()).find(({ labels }) => labels.includes(`k8s:vmid=${vmid}`));
  const debts = async () => (await rig.daemon.api('GET', '/v1/status')).body.debts.length;

  it('are done before the interface is made anew, and never to what was made since', async () => {
    const container = await rig.container();
    await container.start();
    await rig.node.stopAgent();
    await rig.daemon.cli('container', 'detach', String(container.vmid), 'eth0');
    assert.equal(await debts(), 1);
    await rig.node.startAgent();
    const attached = await rig.daemon.cli('container', 'attach', String(container.vmid), 'eth0=pods');
    assert.equal(attached.exitCode, 0, attached.stderr);
    assert.equal(await debts(), 0);
    await rig.daemon.api('POST', '/v1/gc', {});
    assert.ok(await endpointOf(container.vmid));
    assert.equal(await reaches(container, gateway), true);
  });

  it('of an interface behind its gate do not open it', async function () {
    this.timeout(120_000);
    const nic = ['lxc.net.0.type = veth', 'lxc.net.0.link = vmbr0', 'lxc.net.0.name = eth0', 'lxc.net.0.flags = up'];
    const container = await rig.container({
      interfaces: [{ name: 'eth0', network: 'lan' }],
      config: [...nic, 'lxc.net.0.ipv4.address = 10.99.0.95/24'],
    });
    await container.start();
    await rig.node.stopAgent();
    const gate = async () => (await execa('nft', ['list', 'tables', 'bridge'])).stdout;
    // the interface is to be made anew while the agent is away: what was is owed, what is to be waits behind its gate
    await container.exec(['sh', '-c', 'ip addr del 10.99.0.95/24 dev eth0; ip addr add 10.99.0.96/24 dev eth0']);
    const settled = rig.daemon.reconciled();
    await until('the gate is closed', async () => (await gate()) !== '');
    // what else goes on meanwhile opens nothing
    for (let n = 0; n < 3; n++)
      await rig.daemon.api('POST', '/v1/gc', { dryRun: true }).then(({ body }) => assert.deepEqual(body.leaks, []));
    await settled;
    assert.equal(await debts(), 1);
    assert.match(await gate(), /pve_cni_gate/);
    await rig.node.startAgent();
    await until('it is protected again', async () => (await rig.show(container)).interfaces[0]?.state === 'attached', 30);
    await rig.daemon.api('POST', '/v1/gc', {});
    assert.equal(await debts(), 0);
    assert.deepEqual(
      (await endpointOf(container.vmid))?.addresses.filter((one) => one.includes('.')),
      ['10.99.0.96'],
    );
    assert.equal(await reaches(container, gateway), true);
  });
});
