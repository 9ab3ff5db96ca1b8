import assert from 'node:assert/strict';
import type { IdentityView } from '../../src/model/cilium-maps-api.ts';
import { until } from '../support/until.ts';
import { binaries } from './binaries.ts';
import type { Node } from './lab.ts';
import { useCilium } from './rig.ts';

const graceSeconds = 4;

describe('identities that nobody uses', () => {
  const rig = useCilium({
    nodes: 2,
    services: 1,
    settings: { unusedIdentityMinutes: graceSeconds / 60 },
    service: { reconcileSeconds: 1 },
  });
  const ids = async () => [...(await rig.lab.etcd('cilium/state/identities/v1/id/')).keys()].map((key) => Number(key.split('/').at(-1)));
  const listed = async (): Promise<IdentityView[]> => (await rig.daemon.api('GET', '/v1/cilium/identities')).body;
  const identityOf = async (vmid: number) => (await listed()).find((one) => one.vmid === vmid);
  const seenUnused = (vmid: number) => until('it is seen that nobody uses it', async () => (await identityOf(vmid))?.unusedSince, 30);
  /** what happens in whole looks that cover this time */
  const looksOver = async (seconds: number) => {
    const end = performance.now() + seconds * 1000;
    while (performance.now() < end) await rig.daemon.reconciled();
  };

  it('go from etcd after their time, and no others: not one that an endpoint on another node has', async function () {
    this.timeout(90_000);
    const other = await endpointOn(rig.lab.nodes[1] as Node);
    const ended = await rig.container();
    await ended.start();
    const mine = await identityOf(ended.vmid);
    assert.deepEqual([mine?.nodes, mine?.unusedSince], [['node1'], null]);
    await ended.stop();
    const noticed = await seenUnused(ended.vmid);
    await until('it is gone', async () => !(await ids()).includes(mine?.id ?? 0), 30);
    assert.ok(Date.now() - Date.parse(noticed) >= graceSeconds * 1000, 'not before its time');
    await looksOver(graceSeconds + 2);
    const theirs = (await listed()).find(({ id }) => id === other.identity);
    assert.deepEqual([theirs?.vmid, theirs?.nodes, theirs?.unusedSince], [999, ['node2'], null]);
    const { stdout } = await rig.daemon.cli('cilium', 'identities');
    assert.match(stdout, new RegExp(`${other.identity} +999 +node2 +- +app=elsewhere`));
    const { body: operations } = await rig.daemon.api('GET', '/v1/operations?limit=50');
    assert.equal(operations.filter(({ message }: { message: string }) => /removed 1 identities/.test(message)).length, 1);

    await other.remove();
    await until('that of the other node goes, too', async () => !(await ids()).includes(other.identity), 30);
  });

  it('stay when the container comes back in the meantime, with the same number', async function () {
    this.timeout(60_000);
    const container = await rig.container();
    await container.start();
    const before = await identityOf(container.vmid);
    await container.stop();
    await seenUnused(container.vmid);
    await container.start();
    await looksOver(graceSeconds + 2);
    const after = await identityOf(container.vmid);
    assert.deepEqual([after?.id, after?.unusedSince, after?.nodes], [before?.id, null, ['node1']]);
    assert.ok((await ids()).includes(before?.id ?? 0));
  });

  it('stay while the agent of this node is away, since it cannot say what it has', async function () {
    this.timeout(90_000);
    const container = await rig.container();
    await container.start();
    const { id = 0 } = (await identityOf(container.vmid)) ?? {};
    await container.stop();
    await rig.node.stopAgent();
    await looksOver(graceSeconds + 2);
    assert.ok((await ids()).includes(id));
    await rig.node.startAgent();
    await until('it goes when the agent is back', async () => !(await ids()).includes(id), 30);
  });

  it('are not looked for while etcd is away, and the service works on', async function () {
    this.timeout(120_000);
    await rig.lab.stopEtcd();
    const { status, body } = await rig.daemon.api('GET', '/v1/cilium/identities');
    assert.deepEqual([status, body.code], [503, 'CILIUM_ETCD_UNAVAILABLE']);
    await looksOver(2);
    await rig.lab.startEtcd();
    await until('the identities are listed again', async () => (await rig.daemon.api('GET', '/v1/cilium/identities')).status === 200);
    for (const { agent } of rig.lab.nodes)
      await until('the agent is well again', async () => (await agent.health()).kvstore.state === 'Ok', 90);
  });
});

/** An endpoint with labels as ours have them, on a node without a service. */
async function endpointOn(node: Node): Promise<{ identity: number; remove(): Promise<void> }> {
  const containerId = 'fedcba9876543210';
  const attachment = `${containerId}:eth0`;
  const netns = `elsewhere-${process.pid}`;
  const cni = (verb: string) =>
    node.run(
      'env',
      `CNI_COMMAND=${verb}`,
      `CNI_CONTAINERID=${containerId}`,
      `CNI_NETNS=/run/netns/${netns}`,
      'CNI_IFNAME=eth0',
      `CNI_PATH=${binaries}`,
      'sh',
      '-c',
      `echo '{"cniVersion":"1.0.0","name":"cilium","type":"cilium-cni"}' | ${binaries}/cilium-cni`,
    );
  await node.run('ip', 'netns', 'add', netns);
  await cni('ADD');
  await node.agent.relabel(attachment, [
    'k8s:app=elsewhere',
    'k8s:io.cilium.k8s.policy.cluster=default',
    'k8s:io.kubernetes.pod.namespace=default',
    'k8s:type=container',
    'k8s:vmid=999',
  ]);
  const identity = await until('the endpoint has its identity', async () => {
    const { identity: id = 0 } = (await node.agent.endpoint(attachment)) ?? {};
    return id > 255 ? id : 0;
  });
  return {
    identity,
    async remove() {
      await cni('DEL');
      await node.run('ip', 'netns', 'del', netns);
    },
  };
}
