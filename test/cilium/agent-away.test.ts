import assert from 'node:assert/strict';
import { execa } from 'execa';
import { until } from '../support/until.ts';
import { reaches, useCilium } from './rig.ts';

describe('an agent that is away', () => {
  const rig = useCilium();
  const sticky = [{ name: 'eth0', network: 'sticky' }];
  const labelsOf = async (vmid: number) =>
    (await rig.node.agent.endpoints()).find(({ labels }) => labels.includes(`k8s:vmid=${vmid}`))?.labels;

  it('A49 at a stop: the stop ends in time, what is undone is a debt, and is done once the agent is back', async () => {
    const container = await rig.container({ interfaces: sticky });
    await container.start();
    await rig.node.killAgent();
    const begin = performance.now();
    await container.stop();
    await until('the stop is seen', async () => !(await rig.show(container)).running);
    assert.ok(performance.now() - begin < 5000, `the stop took ${performance.now() - begin} ms`);
    const { body: status } = await rig.daemon.api('GET', '/v1/status');
    assert.equal(status.debts.length, 1);
    assert.equal(status.debts[0].reason.code, 'CILIUM_UNAVAILABLE');
    await rig.node.startAgent();
    await rig.daemon.api('POST', '/v1/gc', {});
    await rig.settled();
    assert.equal(await labelsOf(container.vmid), undefined);
  });

  it('that hangs at a stop is not waited for either', async () => {
    const container = await rig.container({ interfaces: sticky });
    await container.start();
    rig.node.signalAgent('SIGSTOP');
    try {
      const begin = performance.now();
      await container.stop();
      assert.ok(performance.now() - begin < 6000, `the stop took ${performance.now() - begin} ms`);
      assert.equal((await rig.daemon.api('GET', '/v1/status')).body.debts.length, 1);
    } finally {
      rig.node.signalAgent('SIGCONT');
    }
    await rig.daemon.api('POST', '/v1/gc', {});
    await rig.settled();
  });

  it('that starts in the middle of a container’s start is waited for', async () => {
    const container = await rig.container({ interfaces: sticky });
    await rig.node.stopAgent();
    const [, started] = await Promise.all([
      (async () => {
        await until('the hook waits', async () => (await rig.daemon.api('GET', '/v1/status')).body.operationsRunning > 0);
        await rig.node.startAgent();
      })(),
      container.start().then(() => true),
    ]);
    assert.equal(started, true);
    assert.ok((await labelsOf(container.vmid))?.includes('k8s:type=container'));
  });

  it('that does not come refuses the start, in words, and leaves nothing', async function () {
    this.timeout(120_000);
    const container = await rig.container({ interfaces: sticky });
    await rig.node.stopAgent();
    await assert.rejects(container.start());
    const { lastRefusal } = await rig.show(container);
    assert.match(lastRefusal?.message ?? '', /cannot reach Cilium's agent at .*: the socket does not exist/);
    await rig.node.startAgent();
    await container.start();
  });

  it('A37 killed and restarted under running containers: nothing is lost, identities and policies are what they were', async function () {
    this.timeout(120_000);
    const [one, other] = [await rig.container({ interfaces: sticky }), await rig.container()];
    await one.start();
    await other.start();
    const before = await labelsOf(one.vmid);
    const address = await rig.address(one);
    const pid = await other.initPid();
    // from the node, into the container's namespace: the container's own ping knows no intervals below a second
    const pings = execa('nsenter', ['-t', String(pid), '-n', 'ping', '-i', '0.05', '-c', '300', '-q', address], { reject: false });
    await rig.node.killAgent();
    await rig.node.startAgent();
    await rig.node.stopAgent();
    await rig.node.startAgent();
    const { stdout } = await pings;
    assert.match(stdout, /300 packets transmitted, 300 received/);
    assert.deepEqual(await labelsOf(one.vmid), before);
    assert.equal((await rig.show(one)).interfaces[0]?.state, 'attached');
    await rig.daemon.reconciled();
    assert.equal(
      (await rig.daemon.api('GET', `/v1/operations?vmid=${one.vmid}`)).body.filter(({ kind }: { kind: string }) => kind === 'reconcile')
        .length,
      0,
    );
  });

  it('etcd away: who runs goes on; a start that needs a new identity is refused in time and leaves nothing', async function () {
    this.timeout(180_000);
    const [one, other, late] = [
      await rig.container(),
      await rig.container({ interfaces: sticky }),
      await rig.container({ interfaces: sticky }),
    ];
    await one.start();
    await other.start();
    await rig.lab.stopEtcd();
    try {
      assert.equal(await reaches(one, await rig.address(other)), true);
      await assert.rejects(late.start());
      assert.equal(await reaches(one, await rig.address(other)), true);
    } finally {
      await rig.lab.startEtcd();
    }
    await until('the agent is well again', async () => (await rig.node.agent.health()).kvstore.state === 'Ok', 100);
    await rig.daemon.api('POST', '/v1/gc', {});
    await rig.settled();
    await late.start();
  });
});
