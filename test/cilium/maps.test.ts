import assert from 'node:assert/strict';
import type { MapKind } from '../../src/model/cilium-map-kinds.ts';
import type { MapContentOf, MapView } from '../../src/model/cilium-maps-api.ts';
import type { Container } from '../support/lxc.ts';
import { until } from '../support/until.ts';
import { reaches, useCilium } from './rig.ts';

describe('Cilium’s eBPF maps', function () {
  this.timeout(90_000);
  const rig = useCilium();
  const ask = (path: string) => rig.daemon.api('GET', `/v1/cilium/maps${path}`);
  const read = async <K extends MapKind>(kind: K, query = ''): Promise<MapContentOf<K>> => {
    const { status, body } = await ask(`/${kind}${query}`);
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  };
  const nameOf = ({ vmid }: Container) => `ct${vmid}`;
  const started = async (options: Parameters<typeof rig.container>[0] = {}) => {
    const container = await rig.container(options);
    await container.start();
    return container;
  };
  const cli = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await rig.daemon.cli('cilium', 'maps', ...args);
    assert.equal(exitCode, 0, stdout + stderr);
    return stdout;
  };

  it('are listed with entries, room and how full they are', async () => {
    const container = await started();
    await reaches(container, '10.99.0.1');
    const { body: maps } = (await ask('')) as { body: MapView[] };
    assert.deepEqual(
      maps.map(({ kind, problem }) => [kind, problem]),
      [
        ['endpoints', null],
        ['ipcache', null],
        ['policy', null],
        ['ct', null],
        ['services', null],
        ['encryption', null],
      ],
    );
    for (const { kind, entries, capacity, pressure } of maps.filter(({ kind }) => kind !== 'services' && kind !== 'encryption')) {
      assert.ok((entries ?? 0) > 0, kind);
      assert.ok(capacity !== null && capacity > 1000, kind);
      assert.ok(pressure !== null && pressure > 0 && pressure < 0.1, kind);
    }
    assert.match(await cli(), /^endpoints +\d+ +65535 +<0\.1 % +containers/m);
  });

  it('endpoints: a container has its address, its MAC and its link', async () => {
    const container = await started();
    const [interface_] = (await rig.show(container)).interfaces;
    const { entries } = await read('endpoints');
    const own = entries.find(({ who }) => who.vmid === container.vmid);
    assert.deepEqual(
      [own?.address, own?.mac.toLowerCase(), own?.interface, own?.who.name],
      [interface_?.addresses[0], interface_?.mac.toLowerCase(), interface_?.hostInterface, nameOf(container)],
    );
    assert.ok(entries.some(({ endpoint, who, address }) => endpoint === null && who.name === 'host' && address === rig.node.address));
    assert.match(await cli('endpoints', '--container', String(container.vmid)), new RegExp(`${own?.address} +ct${container.vmid} \\(`));
  });

  it('ipcache: addresses are those of containers, the host and the world', async () => {
    const [one, other] = [await started(), await started({ interfaces: [{ name: 'eth0', network: 'sticky' }] })];
    const { entries } = await read('ipcache');
    const who = (prefix: string) => entries.find((entry) => entry.prefix === prefix)?.who;
    assert.equal(who(`${await rig.address(one)}/32`)?.vmid, one.vmid);
    assert.equal(who(`${await rig.address(other)}/32`)?.name, nameOf(other));
    assert.deepEqual([who('0.0.0.0/0')?.name, who(`${rig.node.address}/32`)?.name], ['world', 'host']);
    const only = await read('ipcache', `?vmid=${other.vmid}`);
    assert.deepEqual([only.found, only.entries[0]?.prefix], [1, `${await rig.address(other)}/32`]);
  });

  it('policy: what is allowed and denied, by whom and at which port', async () => {
    const [server, client] = [await started(), await started({ interfaces: [{ name: 'eth0', network: 'sticky' }] })];
    const from = [{ matchLabels: { network: 'sticky' } }];
    rig.daemon.write(
      'policies/maps.yaml',
      JSON.stringify({
        apiVersion: 'cilium.io/v2',
        kind: 'CiliumNetworkPolicy',
        metadata: { name: 'maps' },
        spec: {
          endpointSelector: { matchLabels: { vmid: String(server.vmid) } },
          ingress: [{ fromEndpoints: from, toPorts: [{ ports: [{ port: '8080', protocol: 'TCP' }] }] }],
          ingressDeny: [{ fromEndpoints: from, toPorts: [{ ports: [{ port: '9000', protocol: 'UDP' }] }] }],
        },
      }),
    );
    try {
      const mine = () => read('policy', `?vmid=${server.vmid}`);
      const rule = async (port: string) =>
        (await mine()).entries.find(({ direction, ports, peer }) => direction === 'ingress' && ports === port && peer.vmid === client.vmid);
      const allowed = await until('the rule is in the kernel', () => rule('8080'), 30);
      assert.deepEqual([allowed.verdict, allowed.protocol, allowed.who.name], ['allow', 'TCP', nameOf(server)]);
      const denied = await until('the other rule, too', () => rule('9000'));
      assert.deepEqual([denied.verdict, denied.protocol], ['deny', 'UDP']);
      assert.ok((await mine()).entries.every(({ who }) => who.vmid === server.vmid));
      const shown = new RegExp(
        `ct${server.vmid} \\(${server.vmid}\\) +\\d+ +ingress +deny +ct${client.vmid} \\(${client.vmid}\\) +UDP +9000`,
      );
      assert.match(await cli('policy', '--container', String(server.vmid)), shown);
    } finally {
      rig.daemon.remove('policies/maps.yaml');
    }
  });

  it('ct: who speaks with whom, of one container and so many at most', async () => {
    const [one, other] = [await started(), await started()];
    const address = await rig.address(other);
    assert.equal(await reaches(one, address), true);
    const { entries, found } = await read('ct', `?vmid=${one.vmid}`);
    const out = entries.find(
      ({ protocol, direction, to, related }) => protocol === 'ICMP' && direction === 'out' && to.address === address && !related,
    );
    assert.deepEqual([out?.from.vmid, out?.to.vmid, out?.to.name, out?.began.vmid], [one.vmid, other.vmid, nameOf(other), one.vmid]);
    assert.ok(out && out.expiresInSeconds > 0 && out.expiresInSeconds <= 60, `it expires in ${out?.expiresInSeconds} s`);
    const limited = await read('ct', '?limit=1');
    assert.equal(limited.entries.length, 1);
    assert.ok(limited.found >= found && found > 1);
    assert.match(await cli('ct', '--container', String(one.vmid), '--limit', '1'), new RegExp(`\\n1 of ${found}; more with --limit$`));
  });

  it('services: an address and the containers behind it', async () => {
    const backend = await started({ interfaces: [{ name: 'eth0', network: 'sticky' }] });
    rig.daemon.write(
      'services/maps.yaml',
      JSON.stringify({ address: '10.96.0.77', ports: [{ port: 80, target: 8080 }], backends: { matchLabels: { network: 'sticky' } } }),
    );
    try {
      const entry = await until(
        'the service has its backend',
        async () => (await read('services')).entries.find(({ address, backends }) => address === '10.96.0.77' && backends.length > 0),
        30,
      );
      assert.deepEqual([entry.port, entry.protocol], [80, 'TCP']);
      assert.deepEqual(
        entry.backends.map(({ address, port, vmid, name }) => [address, port, vmid, name]),
        [[await rig.address(backend), 8080, backend.vmid, nameOf(backend)]],
      );
      assert.equal((await read('services', `?vmid=${backend.vmid}`)).found, 1);
    } finally {
      rig.daemon.remove('services/maps.yaml');
      await until('the service is gone', async () => (await read('services')).found === 0, 30);
    }
  });

  it('encryption: the mode, and the nodes by name', async () => {
    const { mode, entries } = await read('encryption');
    assert.equal(mode, 'Disabled');
    assert.equal(entries.find(({ address }) => address === rig.node.address)?.node, 'node1');
    const refused = await ask('/encryption?vmid=101');
    assert.deepEqual([refused.status, refused.body.code], [400, 'REQUEST_INVALID']);
  });

  it('are read while the agent is away, with the names of this node’s containers', async () => {
    const container = await started();
    const address = await rig.address(container);
    await rig.node.stopAgent();
    try {
      const endpoints = await read('endpoints');
      assert.deepEqual(endpoints.entries.find((one) => one.address === address)?.who.vmid, container.vmid);
      const policies = await read('policy', `?vmid=${container.vmid}`);
      assert.ok(policies.found > 0);
      const { body: maps } = (await ask('')) as { body: MapView[] };
      assert.ok(maps.every(({ kind, problem, capacity }) => capacity === null && (problem === null || kind === 'encryption')));
    } finally {
      await rig.node.startAgent();
    }
  });
});
