import assert from 'node:assert/strict';
import type { BridgeNetwork, CiliumNetwork, Network } from '../../../src/model/network.ts';
import type { Given } from '../../../src/networks/kind.ts';
import { kindOf } from '../../../src/networks/networks.ts';

const web: BridgeNetwork = {
  type: 'bridge',
  name: 'web',
  file: 'networks/web.yaml',
  warnings: [],
  bridge: { name: 'cnibr-web', mtuBytes: 1400 },
  subnets: [{ cidr: '10.20.0.0/24', gateway: '10.20.0.1' }, { cidr: 'fd00:20::/64' }],
  ipam: 'sticky',
  nat: true,
};
const given: Given = { addresses: ['10.20.0.12', 'fd00:20::12'], mac: '02:00:00:00:00:01', defaultRoute: true };
const wanted = { name: 'eth0', network: 'web', address: 'auto' as const };

describe('networks', () => {
  it('renders a bridge network with our addresses as static ones, each with the prefix length of its subnet', () => {
    const { conflist, capabilityArgs } = kindOf(web).render(web, wanted, given);
    assert.deepEqual(conflist.plugins[0]?.ipam, {
      type: 'static',
      addresses: [{ address: '10.20.0.12/24', gateway: '10.20.0.1' }, { address: 'fd00:20::12/64' }],
      routes: [{ dst: '0.0.0.0/0', gw: '10.20.0.1' }],
    });
    assert.deepEqual(capabilityArgs, { mac: '02:00:00:00:00:01' });
  });

  it('gives no default route, and no gateway that a plugin could make one of, to an interface that is not to have it', () => {
    const { conflist } = kindOf(web).render(web, wanted, { ...given, defaultRoute: false });
    assert.deepEqual(conflist.plugins[0]?.ipam?.routes, []);
    assert.doesNotMatch(JSON.stringify(conflist), /gateway"/);
  });

  it('never leaves masquerading or the gateway to the plugin, which leaks them', () => {
    const [plugin] = kindOf(web).render(web, wanted, given).conflist.plugins;
    assert.deepEqual([plugin?.ipMasq, plugin?.isGateway], [false, false]);
    assert.deepEqual(kindOf(web).bridge?.(web)?.masquerade, ['10.20.0.0/24']);
  });

  it('refuses a fixed address where the plugins choose: host-local, and lists without the capability "ips"', () => {
    const fixed = { ...wanted, address: ['10.20.0.9'] };
    const hostLocal = { ...web, ipam: 'host-local' as const };
    assert.throws(() => kindOf(hostLocal).render(hostLocal, fixed, given), { code: 'UNSUPPORTED' });
    const plain: Network = {
      type: 'cni',
      name: 'p',
      file: 'f',
      warnings: [],
      conflist: { cniVersion: '1.0.0', name: 'p', plugins: [{ type: 'ptp' }] },
    };
    assert.throws(() => kindOf(plain).render(plain, fixed, given), { code: 'UNSUPPORTED' });
  });

  it('hands a plain list on as it is, with the addresses and the MAC that its plugins declare to take', () => {
    const conflist = { cniVersion: '1.0.0' as const, name: 'p', plugins: [{ type: 'x', capabilities: { ips: true, mac: true } }] };
    const plain: Network = { type: 'cni', name: 'p', file: 'f', warnings: [], conflist };
    const rendered = kindOf(plain).render(plain, { ...wanted, address: ['10.1.1.5'] }, given);
    assert.equal(rendered.conflist, conflist);
    assert.deepEqual(rendered.capabilityArgs, { ips: ['10.1.1.5'], mac: '02:00:00:00:00:01' });
  });

  const cilium: CiliumNetwork = {
    ...{ type: 'cilium', name: 'c', file: 'f', warnings: [], mode: 'endpoint', on: '', base: null },
    ...{ subnets: [{ cidr: '10.240.0.0/24' }], ipam: 'sticky', nat: false, conflist: null },
  };

  it('gives Cilium our addresses where they are sticky, and none where the agent chooses', () => {
    const { conflist, endpoint } = kindOf(cilium).render(cilium, wanted, { ...given, addresses: ['10.240.0.5'] });
    assert.deepEqual(conflist.plugins, [{ type: 'cilium-cni' }]);
    assert.deepEqual(endpoint, { addresses: ['10.240.0.5'], mac: given.mac });
    const agents: Network = { ...cilium, ipam: 'agent', subnets: [] };
    assert.equal(kindOf(agents).render(agents, wanted, given).endpoint?.addresses, null);
    assert.throws(() => kindOf(agents).render(agents, { ...wanted, address: ['10.1.1.5'] }, given), {
      code: 'UNSUPPORTED',
      message: /agent/,
    });
  });

  it('runs somebody’s own list of cilium-cni without what only Kubernetes has', () => {
    const plugin = { type: 'cilium-cni', 'enable-endpoint-routes': true, ipam: { type: 'cilium-ipam' }, kubernetes: { kubeconfig: '/k' } };
    const own: Network = { ...cilium, ipam: 'agent', subnets: [], conflist: { cniVersion: '0.3.1', name: 'c', plugins: [plugin] } };
    const { conflist } = kindOf(own).render(own, wanted, given);
    assert.deepEqual(conflist, { cniVersion: '0.3.1', name: 'c', plugins: [{ type: 'cilium-cni', 'enable-endpoint-routes': true }] });
  });

  it('chains Cilium behind the plugins of the bridge network', () => {
    const on: Network = { ...cilium, mode: 'chained', on: 'web', base: web, subnets: [], ipam: 'agent' };
    const { conflist } = kindOf(on).render(on, wanted, { ...given, addresses: ['10.20.0.5'] });
    assert.equal(conflist.name, 'c');
    assert.deepEqual(
      conflist.plugins.map(({ type, ...more }) => [type, more['chaining-mode']]),
      [
        ['bridge', undefined],
        ['cilium-cni', 'generic-veth'],
      ],
    );
  });
});
