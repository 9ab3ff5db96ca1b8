// What Proxmox has written down of a container comes from a stand-in for its cluster filesystem: files in a folder.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import type { OperationView } from '../../src/model/api.ts';
import { assertInvariants } from '../crash/invariants.ts';
import { createTally, diesDuring, killEnv, killPoints } from '../crash/rig.ts';
import type { Container } from '../support/lxc.ts';
import { createProxmoxFolder } from '../support/proxmox-folder.ts';
import { gateway } from './lab.ts';
import { reaches, useCilium } from './rig.ts';

/** The node's own pairs: its uplink and the agent's. */
const nodesOwn = /^(eth0|cilium_(host|net))$/;
/** A tool's own edges are those of the step around it, within a millisecond. */
const steps = (points: string[]) => points.filter((point) => !point.includes('/tool:'));
/** every third point, of each run others; all of them with PVE_CNI_CRASH_ALL */
const every = process.env.PVE_CNI_CRASH_ALL ? 1 : 3;
const sample = (points: string[]) => points.filter((_, index) => index % every === process.pid % every);

const nic = ['lxc.net.0.type = veth', 'lxc.net.0.link = vmbr0', 'lxc.net.0.name = eth0', 'lxc.net.0.flags = up'];
const kinds: Record<string, { network: string; config: string[]; proxmox?: string }> = {
  'with an address of ours': { network: 'sticky', config: [] },
  'chained onto the interface that LXC made': { network: 'lan', config: [...nic, 'lxc.net.0.ipv4.address = 10.99.0.80/24'] },
  'chained onto an interface of ours': { network: 'guarded', config: [] },
  'chained, with an address that it gives itself': { network: 'lan', config: nic, proxmox: '10.99.0.81' },
};

describe('the service killed at the edges of the steps of a container on Cilium', function () {
  this.timeout(900_000);
  const dir = mkdtempSync('/var/lib/pve-cni-test-pve-');
  const pve = createProxmoxFolder(join(dir, 'pve'));
  after(() => rmSync(dir, { recursive: true }));
  const rig = useCilium({
    files: {
      'settings.yaml': 'releaseAfterHours: 0\n',
      'networks/lan.yaml': 'type: cilium\nmode: chained\non: vmbr0\n',
      'networks/web.yaml': 'type: bridge\nsubnets: [{ cidr: 10.20.0.0/24, gateway: 10.20.0.1 }]\n',
      'networks/guarded.yaml': 'type: cilium\nmode: chained\non: web\n',
      'networks/sticky.yaml': 'type: cilium\nsubnets: [{ cidr: 10.240.0.0/24 }]\nnat: true\n',
    },
    service: { reconcileSeconds: 3600, livenessSeconds: 60, pveDir: pve.path },
  });

  /** one whole reconcile has ended: what the kernel, the agent and the journal say is the same, and nothing is left */
  async function whole(container: Container, running: boolean): Promise<void> {
    const { daemon, node } = rig;
    await daemon.reconciled();
    // an agent that took its time left a debt, which is no defect
    await daemon.api('POST', '/v1/gc', {});
    await assertInvariants(daemon, { sticky: ['sticky', 'web'], pools: { guarded: 'web' }, foreignLinks: nodesOwn });
    const all = (await node.agent.endpoints()).filter(({ attachmentId }) => attachmentId);
    assert.deepEqual(
      all.map(({ labels }) => labels.includes(`k8s:vmid=${container.vmid}`)),
      running ? [true] : [],
      'endpoints of the agent',
    );
    assert.equal((await execa('nft', ['list', 'tables', 'bridge'])).stdout, '', 'no gate is left');
    if (running)
      assert.equal(
        await reaches(container, (await rig.address(container)).startsWith('10.20.') ? '10.20.0.1' : gateway),
        true,
        'it reaches the gateway',
      );
  }

  async function newest(kind: string, vmid: number): Promise<OperationView> {
    const { body } = await rig.daemon.api('GET', `/v1/operations?limit=50&vmid=${vmid}`);
    const found = body.find((one: OperationView) => one.kind === kind && one.outcome === 'ok');
    return (await rig.daemon.api('GET', `/v1/operations/${found?.id}`)).body;
  }

  for (const [kind, { network, config, proxmox }] of Object.entries(kinds))
    it(`D45 ${kind}: it comes up with its network and its identity, and nothing is left when it has stopped`, async () => {
      const { daemon } = rig;
      // ifupdown's own command, which fails on an address that is there
      const init = proxmox ? `ip addr add ${proxmox}/24 dev eth0 > /set-up 2>&1; echo $? >> /set-up` : '';
      const container = await rig.container({ interfaces: [{ name: 'eth0', network }], config, init });
      if (proxmox) pve.write(container.vmid, `hostname: shop\nnet0: name=eth0,bridge=vmbr0,ip=${proxmox}/24,type=veth\n`);
      const setUp = async () => proxmox && assert.equal(await container.readInside('/set-up'), '0\n', 'its own set-up');
      await container.start();
      await whole(container, true);
      await container.stop();
      await whole(container, false);
      const points = {
        attach: sample(steps(killPoints(await newest('attach', container.vmid)))),
        detach: sample(steps(killPoints(await newest('detach', container.vmid)))),
      };
      assert.ok(points.attach.length * every > 20 && points.detach.length * every > 10, JSON.stringify(points));
      const tally = createTally();
      // the service that recovers from one death carries the point of the next: starts and stops take turns
      const killed = async (point: string | undefined, work: Promise<void>, next: string | undefined, running: boolean) => {
        if (point) tally.died(point, await diesDuring(daemon, point, work));
        await daemon.kill9();
        await daemon.start(killEnv(next));
        await work.catch(tally.fail(point));
        await whole(container, running).catch(tally.fail(point));
        if (running) await setUp().catch(tally.fail(point));
      };
      await daemon.stop();
      await daemon.start(killEnv(points.attach[0]));
      for (let index = 0; index < Math.max(points.attach.length, points.detach.length); index++) {
        await killed(points.attach[index], container.start(), points.detach[index], true);
        await killed(points.detach[index], container.stop(), points.attach[index + 1], false);
      }
      await daemon.kill9();
      await daemon.start();
      tally.conclude();
    });
});
