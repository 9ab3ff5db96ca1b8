import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Findings, findLeaks, interfaceKey } from '../../../src/core/leaks.ts';

const ids = fc.constantFrom('aa', 'bb', 'cc');
const names = fc.constantFrom('web', 'db', 'old');
const vmids = fc.constantFrom(101, 102, 103);
const ifnames = fc.constantFrom('eth0', 'eth1');
const addresses = fc.constantFrom('10.20.0.10', '10.20.0.11', 'fd00:20::9');
const setOf = <T>(one: fc.Arbitrary<T>) => fc.uniqueArray(one).map((list) => new Set(list));
const attachmentKeys = fc.tuple(ids, ifnames).map(([id, ifname]) => `${id}/${ifname}`);
const pins = fc.constantFrom('/run/netns/ct101', '/run/netns/ct102', '/run/pve-cni/netns/aa');

const gates = fc.constantFrom('veth101i0', '02:00:00:00:00:01');
const overlays = fc.constantFrom('10.240.0.0/16', 'fd00:240::/64');

const findings: fc.Arbitrary<Findings> = fc.record({
  configurationAvailable: fc.boolean(),
  configured: fc.record({
    vmids: setOf(vmids),
    addresses: fc
      .uniqueArray(
        fc.tuple(
          fc.tuple(vmids, ifnames, names).map(([vmid, ifname, network]) => interfaceKey(vmid, ifname, network)),
          fc.constantFrom<'auto' | string[]>('auto', ['10.20.0.10'], ['FD00:20:0::9', '10.20.0.11']),
        ),
        { selector: ([key]) => key },
      )
      .map((entries) => new Map(entries)),
    natNetworks: setOf(names),
    bridges: setOf(names.map((name) => `cnibr-${name}`)),
    overlays: setOf(overlays),
  }),
  recorded: fc.record({
    attachments: setOf(attachmentKeys),
    networks: setOf(names),
    pins: setOf(pins),
    vmids: setOf(vmids),
    addresses: setOf(fc.tuple(vmids, ifnames, addresses).map(([vmid, ifname, address]) => interfaceKey(vmid, ifname, address))),
    gated: setOf(gates),
  }),
  found: fc.record({
    cache: fc.array(
      fc.record({
        containerId: ids,
        ifname: ifnames,
        network: names,
        file: fc.constant('/var/lib/cni/results/x'),
        vmid: fc.option(vmids),
      }),
    ),
    pins: fc.array(pins),
    bridges: fc.array(names.map((network) => ({ name: `cnibr-${network}`, network }))),
    natRules: fc.array(names),
    addresses: fc.array(
      fc.record({
        network: names,
        address: addresses,
        vmid: vmids,
        ifname: ifnames,
        state: fc.constantFrom('reserved' as const, 'kept' as const),
      }),
    ),
    markers: fc.array(vmids),
    endpoints: fc.array(fc.record({ attachmentId: attachmentKeys.map((key) => key.replace('/', ':')), vmid: vmids })),
    overlays: fc.array(overlays),
    gates: fc.array(gates),
  }),
});

const property = (check: (findings: Findings, leaks: ReturnType<typeof findLeaks>) => void) =>
  fc.assert(
    fc.property(findings, (one) => check(one, findLeaks(one))),
    { numRuns: 2000 },
  );

describe('leaks', () => {
  it('are never what the journal or a debt knows', () => {
    property((all, leaks) => {
      const { recorded } = all;
      for (const { kind, what, network, vmid } of leaks) {
        if (kind === 'endpoint') assert.ok(!recorded.attachments.has(what.replace(':', '/')));
        if (kind === 'gate') assert.ok(!recorded.gated.has(what));
        if (kind === 'pin') assert.ok(!recorded.pins.has(what));
        if (kind === 'bridge' || kind === 'nft-rule') assert.ok(!recorded.networks.has(network ?? ''));
        if (kind === 'address') {
          const held = all.found.addresses.filter((one) => one.address === what && one.network === network && one.vmid === vmid);
          assert.ok(held.some((one) => !recorded.addresses.has(interfaceKey(one.vmid, one.ifname, what))));
        }
        if (kind === 'marker') assert.ok(!recorded.vmids.has(vmid ?? 0));
      }
      const unknown = all.found.cache.filter(({ containerId, ifname }) => !recorded.attachments.has(`${containerId}/${ifname}`));
      assert.equal(leaks.filter(({ kind }) => kind === 'cache').length, unknown.length);
    });
  });

  it('are never what is configured', () => {
    property(({ configured, found }, leaks) => {
      for (const { kind, what, network, vmid } of leaks) {
        if (kind === 'bridge') assert.ok(!configured.bridges.has(what));
        if (kind === 'route') assert.ok(!configured.overlays.has(what));
        if (kind === 'nft-rule') assert.ok(!configured.natNetworks.has(network ?? ''));
        if (kind === 'marker') assert.ok(!configured.vmids.has(vmid ?? 0));
        if (kind !== 'address') continue;
        const owners = found.addresses.filter((one) => one.address === what && one.network === network && one.vmid === vmid);
        assert.ok(owners.some((one) => configured.addresses.get(interfaceKey(one.vmid, one.ifname, one.network)) !== 'auto'));
      }
    });
  });

  it('are nothing but caches, pins, endpoints and gates that nobody recorded while the configuration is not available', () => {
    property((all) => {
      const leaks = findLeaks({ ...all, configurationAvailable: false });
      const certain = ({ kind }: { kind: string }) => ['cache', 'pin', 'endpoint', 'gate'].includes(kind);
      assert.ok(leaks.every(certain));
      const known = findLeaks({ ...all, configurationAvailable: true }).filter(certain);
      assert.deepEqual(leaks, known);
    });
  });

  it('are no more once what they name is gone: a second look finds nothing', () => {
    property((all, leaks) => {
      const gone = (kind: string, what: string, network: string | null = null) =>
        leaks.some((leak) => leak.kind === kind && leak.what === what && (network === null || leak.network === network));
      const { found } = all;
      const left: Findings['found'] = {
        cache: found.cache.filter((one) => all.recorded.attachments.has(`${one.containerId}/${one.ifname}`)),
        pins: found.pins.filter((path) => !gone('pin', path)),
        bridges: found.bridges.filter(({ name }) => !gone('bridge', name)),
        natRules: found.natRules.filter((network) => !gone('nft-rule', network)),
        addresses: found.addresses.filter(({ address, network }) => !gone('address', address, network)),
        markers: found.markers.filter((vmid) => !gone('marker', `managed/${vmid}`)),
        endpoints: found.endpoints.filter(({ attachmentId }) => !gone('endpoint', attachmentId)),
        overlays: found.overlays.filter((cidr) => !gone('route', cidr)),
        gates: found.gates.filter((gate) => !gone('gate', gate)),
      };
      assert.deepEqual(findLeaks({ ...all, found: left }), []);
    });
  });

  const held = (state: 'reserved' | 'kept', wanted: 'auto' | string[] | undefined): Findings => ({
    configurationAvailable: true,
    configured: {
      vmids: new Set(),
      addresses: new Map(wanted ? [[interfaceKey(101, 'eth0', 'web'), wanted]] : []),
      natNetworks: new Set(),
      bridges: new Set(),
      overlays: new Set(),
    },
    recorded: { attachments: new Set(), networks: new Set(), pins: new Set(), vmids: new Set(), addresses: new Set(), gated: new Set() },
    found: {
      ...{ cache: [], pins: [], bridges: [], natRules: [], markers: [], endpoints: [], overlays: [], gates: [] },
      addresses: [{ network: 'web', address: 'fd00:20::9', vmid: 101, ifname: 'eth0', state }],
    },
  });
  const kinds = (all: Findings) => findLeaks(all).map(({ kind }) => kind);

  it('an address is one when its interface is configured no more, or with other addresses', () => {
    assert.deepEqual(kinds(held('reserved', undefined)), ['address']);
    assert.deepEqual(kinds(held('reserved', ['10.20.0.10'])), ['address']);
    assert.deepEqual(kinds(held('reserved', 'auto')), []);
    assert.deepEqual(kinds(held('reserved', ['fd00:20::9'])), []);
  });

  it('an address that the file spells in another way is none', () => {
    assert.deepEqual(kinds(held('reserved', ['FD00:20:0:0::9'])), []);
  });

  it('an address that is kept back for a destroyed container is none', () => {
    assert.deepEqual(kinds(held('kept', undefined)), []);
  });
});
