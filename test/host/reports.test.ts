import assert from 'node:assert/strict';
import { execa } from 'execa';
import type { ContainerHistory, InterfaceStatus, NodeHistory, Topology } from '../../src/model/panel-api.ts';
import type { Container } from '../support/lxc.ts';
import { until } from '../support/until.ts';
import { ping, useRig } from './lifecycle/rig.ts';

/** What the panel draws, of real containers. */
describe('what there is to see of a node', () => {
  const rig = useRig({
    files: {
      'networks/web.yaml': 'type: bridge\nnat: true\nsubnets: [{ cidr: 10.20.0.0/24, gateway: 10.20.0.1 }, { cidr: "fd00:20::/64" }]\n',
      'networks/tiny.yaml': 'type: bridge\nsubnets: [{ cidr: 10.21.0.0/30, gateway: 10.21.0.1 }]\n',
    },
    // what is shown between two reconciles is looked at
    settings: { reconcileSeconds: 3600 },
  });
  const get = async <T>(path: string): Promise<T> => {
    const { status, body } = await rig.daemon.api('GET', path);
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  };
  const shown = async ({ vmid }: Container): Promise<InterfaceStatus> => {
    const [one] = await get<InterfaceStatus[]>(`/v1/containers/${vmid}/interfaces`);
    assert.ok(one);
    return one;
  };
  const untilShown = (container: Container, state: InterfaceStatus['state']) =>
    until(
      `eth0 is shown as ${state}`,
      async () => {
        const one = await shown(container);
        return one.state === state ? one : null;
      },
      30,
    );
  const untilReserved = (container: Container) =>
    until(
      'its address is reserved',
      async () => {
        const one = await shown(container);
        return one.addresses.length > 0 ? one : null;
      },
      30,
    );
  const nodeOf = async (id: string) => (await get<Topology>('/v1/topology')).nodes.find((one) => one.id === id);

  it('an interface follows its container: configured, attached, and configured again when it has stopped', async () => {
    const container = await rig.container();
    const before = await untilReserved(container);
    assert.deepEqual(
      [before.state, before.message, before.running, before.hostIfname, before.since, before.traffic],
      ['configured', null, false, null, null, null],
    );
    assert.match(before.addresses.join(' '), /^10\.20\.0\.\d+\/24 fd00:20::\w+\/64$/, 'its address is reserved already');
    assert.equal((await nodeOf(`container:${container.vmid}`))?.state, 'off');

    await container.start();
    const after = await shown(container);
    assert.deepEqual([after.state, after.message, after.running, after.defaultRoute, after.type], ['attached', null, true, true, 'bridge']);
    assert.deepEqual(after.addresses, before.addresses);
    assert.deepEqual(after.configured, { network: 'web', address: 'auto', defaultRoute: null });
    assert.equal(after.mtu, 1500);
    assert.match(after.mac ?? '', /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/);
    assert.ok(after.since && after.hostIfname);
    assert.equal((await nodeOf(`container:${container.vmid}`))?.state, 'good');
    const all = await get<InterfaceStatus[]>('/v1/interfaces');
    assert.deepEqual(
      all.map(({ traffic: _traffic, ...one }) => one),
      [after].map(({ traffic: _traffic, ...one }) => one),
    );

    await container.stop('kill');
    await untilShown(container, 'configured');
  });

  it('a start that is refused is shown with its reason, until one is not', async () => {
    const onTiny = { interfaces: [{ name: 'eth0', network: 'tiny' }] };
    const first = await rig.container(onTiny);
    await untilReserved(first);
    const second = await rig.container(onTiny);
    await rig.refused(second);
    const refused = await untilShown(second, 'failed');
    assert.match(refused.message ?? '', /tiny/);
    assert.equal((await nodeOf(`container:${second.vmid}`))?.state, 'critical');
    assert.equal((await shown(first)).state, 'configured', 'it is not about others');
    const use = await get<object[]>('/v1/addresses/use');
    assert.deepEqual(use.at(0), { network: 'tiny', family: 'ipv4', range: '10.21.0.1-10.21.0.2', size: 1, used: 1, kept: 0, free: 0 });

    rig.daemon.write(`containers/${second.vmid}.yaml`, JSON.stringify({ interfaces: [{ name: 'eth0', network: 'web' }] }));
    await rig.daemon.reconciled();
    await second.start();
    assert.equal((await shown(second)).state, 'attached');
  });

  it('a link that somebody deleted is shown at once, and that it is back after the reconcile', async () => {
    const container = await rig.container();
    await container.start();
    const { hostIfname } = await shown(container);
    await execa('ip', ['link', 'delete', hostIfname ?? '']);
    const lost = await shown(container);
    assert.equal(lost.state, 'degraded');
    assert.match(lost.message ?? '', new RegExp(`${hostIfname}, is gone`));
    assert.equal((await nodeOf(`container:${container.vmid}`))?.state, 'critical');
    await rig.daemon.reconciled();
    await untilShown(container, 'attached');
  });

  it('what a container sends and receives moves its counters, its rate and its history, which outlive a restart of the service', async () => {
    const container = await rig.container();
    await container.start();
    await ping(container, '10.20.0.1');
    const before = await until('the counters are known', async () => (await shown(container)).traffic, 30);
    const flood = () => container.exec(['ping', '-c', '20', '-i', '0.05', '-s', '1400', '10.20.0.1']);
    await flood();
    const after = await until(
      'the counters have moved',
      async () => {
        const { traffic } = await shown(container);
        return traffic && traffic.txBytes - before.txBytes >= 28_000 && traffic.rxBytes - before.rxBytes >= 28_000 ? traffic : null;
      },
      30,
    );
    assert.ok(after.txPackets - before.txPackets >= 20 && after.rxPackets - before.rxPackets >= 20);

    const path = `/v1/containers/${container.vmid}/history?ifname=eth0`;
    const moved = ({ points }: ContainerHistory) => points.some(({ rxRate, txRate }) => (rxRate ?? 0) > 1000 && (txRate ?? 0) > 1000);
    await until(
      'the history has a step with traffic',
      async () => {
        await flood();
        return moved(await get<ContainerHistory>(path));
      },
      90,
    );
    assert.ok((await shown(container)).traffic);
    const node = await get<NodeHistory>('/v1/history');
    assert.ok(moved(node), 'the node’s has it, too');
    assert.equal(node.stepSeconds, 10);
    assert.ok(
      node.operations.some(({ kind, count, p99Ms }) => kind === 'attach' && count > 0 && p99Ms > 0),
      JSON.stringify(node.operations),
    );
    assert.deepEqual((await get<ContainerHistory>('/v1/containers/999999999/history')).points, []);

    await rig.daemon.stop();
    await rig.daemon.start();
    assert.ok(moved(await get<ContainerHistory>(path)), 'it was kept');
    assert.ok(moved(await get<ContainerHistory>(path.replace('?', '?timeframe=day&'))), 'the day has it, too');
  });

  it('the picture leads from the container over its network and bridge', async () => {
    const container = await rig.container();
    await container.start();
    const { nodes, edges } = await get<Topology>('/v1/topology');
    const bridge = nodes.find(({ name, kind }) => kind === 'bridge' && name === 'cnibr-web');
    assert.deepEqual([bridge?.state, bridge?.detail], ['good', 'up']);
    assert.deepEqual(
      edges.find(({ from }) => from === `container:${container.vmid}`),
      { from: `container:${container.vmid}`, to: 'network:web', label: 'eth0', state: 'good' },
    );
    assert.ok(edges.some(({ from, to }) => from === 'network:web' && to === 'bridge:cnibr-web'));
    const ids = new Set(nodes.map(({ id }) => id));
    for (const { from, to } of edges) assert.ok(ids.has(from) && ids.has(to), `${from} ${to}`);
  });
});
