import assert from 'node:assert/strict';
import { agentConfig, ciliumPaths, nodeAddressOf } from '../../../src/core/cilium-agent.ts';
import { flagDifferences, needsRestart } from '../../../src/core/cilium-differences.ts';
import { statusDifferences } from '../../../src/core/cilium-status.ts';
import { compareVersions, versionIn, versionProblem } from '../../../src/core/cilium-version.ts';
import { ciliumSettings } from '../../../src/model/cilium.ts';

const paths = ciliumPaths({ stateDir: '/var/lib/pve-cni', runDir: '/run/pve-cni' });
const settings = (more: object = {}) => ciliumSettings.parse({ devices: ['vmbr0'], ipv4Range: '10.244.1.0/24', ...more });
const flags = (more: object = {}) => agentConfig(settings(more), { paths, nodeAddress: '192.0.2.10' });

describe('the agent’s configuration', () => {
  it('takes over nothing of the host, whatever is set', () => {
    for (const more of [
      {},
      { routing: 'native' },
      { encryption: 'wireguard' },
      { encryption: 'ipsec' },
      { dnsPolicies: true },
      { masquerade: false },
    ]) {
      const made = flags(more);
      assert.equal(made['kube-proxy-replacement'], 'false');
      assert.equal(made['cni-exclusive'], 'false');
      assert.equal(made['enable-k8s'], 'false');
      assert.equal(made.devices, 'vmbr0');
      assert.equal(made['enable-host-firewall'], undefined);
      assert.equal(made['enable-bpf-masquerade'], undefined);
    }
  });

  it('has the first address of the first device as the node’s, IPv4 before IPv6, unless one is set', () => {
    const devices = [
      { name: 'vmbr1', addresses: ['10.0.0.1/8'] },
      { name: 'vmbr0', addresses: ['2001:db8::1/64', '192.0.2.10/24', '192.0.2.11/24'] },
    ];
    assert.equal(nodeAddressOf(settings(), devices), '192.0.2.10');
    assert.equal(nodeAddressOf(settings({ nodeAddress: '192.0.2.11' }), devices), '192.0.2.11');
    assert.equal(nodeAddressOf(settings(), [{ name: 'vmbr0', addresses: ['2001:db8::1/64'] }]), '2001:db8::1');
    assert.equal(nodeAddressOf(settings(), []), null);
  });

  it('differs from the disk by what is missing, stale or other, and from the agent by what it says', () => {
    const wanted = { devices: 'vmbr0', 'routing-mode': 'tunnel', 'identity-change-grace-period': '1s', kvstore: 'etcd' };
    const onDisk = { devices: 'vmbr0', 'routing-mode': 'native', 'identity-change-grace-period': '1s', debug: 'true' };
    const running = { Devices: ['vmbr1', 'vmbr2'], RoutingMode: 'native', IdentityChangeGracePeriod: 1_000_000_000 };
    assert.deepEqual(flagDifferences(wanted, onDisk, running), [
      { flag: 'debug', wanted: null, onDisk: 'true', running: null },
      { flag: 'devices', wanted: 'vmbr0', onDisk: 'vmbr0', running: 'vmbr1,vmbr2' },
      { flag: 'kvstore', wanted: 'etcd', onDisk: null, running: null },
      { flag: 'routing-mode', wanted: 'tunnel', onDisk: 'native', running: 'native' },
    ]);
    assert.equal(needsRestart(flagDifferences(wanted, onDisk, running)), true);
    assert.deepEqual(flagDifferences(wanted, wanted, null), []);
    assert.equal(needsRestart(flagDifferences(wanted, onDisk, null)), false);
  });
});

describe('versions of Cilium', () => {
  const texts: [string, string | null][] = [
    ['1.20.2 (v1.20.2-9589669)', '1.20.2'],
    ['cilium-agent 1.20.2 go version go1.26.8 linux/amd64', '1.20.2'],
    ['1.19.0-rc.1 9589669 2026-01-13T11:40:01+01:00 go version go1.24.11 X:jsonv2 linux/amd64', '1.19.0-rc.1'],
    [' (v-)', null],
    ['', null],
    ['go version go1.26.8', null],
  ];
  for (const [text, version] of texts) it(`finds ${version} in "${text}"`, () => assert.equal(versionIn(text), version));

  it('are too old, too new, or known by their minor version', () => {
    assert.equal(versionProblem('1.20.0'), null);
    assert.equal(versionProblem('1.20.99'), null);
    assert.match(versionProblem('1.19.4') ?? '', /1\.19\.4 is too old: .*1\.20\.x/);
    assert.match(versionProblem('1.21.0-rc.0') ?? '', /too new/);
    assert.match(versionProblem('2.0.0') ?? '', /too new/);
    assert.match(versionProblem('0.99.0') ?? '', /too old/);
  });

  it('are ordered by number, pre-releases before their release', () => {
    const order = ['1.9.9', '1.20.0-rc.1', '1.20.0', '1.20.2', '1.20.10'];
    assert.deepEqual([...order].reverse().sort(compareVersions), order);
  });
});

describe('what differs from what is wanted of Cilium', () => {
  const input = { settings: settings(), installed: '1.20.2', running: { version: '1.20.2', encryption: 'Disabled' }, flags: [], units: [] };

  it('is nothing when all is as it should be', () => assert.deepEqual(statusDifferences(input), []));

  it('names an agent of another minor version, and one that is not the installed one', () => {
    const version = (running: string | null) => statusDifferences({ ...input, running: { version: running, encryption: '' } });
    assert.match(version('1.19.4')[0]?.cure ?? '', /too old.*pve-cni cilium upgrade/);
    assert.match(version('1.21.0')[0]?.cure ?? '', /too new/);
    assert.equal(version(null)[0]?.is, 'not said');
    assert.deepEqual(version('1.20.1')[0], {
      what: 'version',
      wanted: '1.20.2, installed',
      is: '1.20.1, running',
      cure: 'systemctl restart pve-cni-cilium',
    });
  });

  it('names units that do not run, encryption that is off, flags and what to do about each', () => {
    const found = statusDifferences({
      ...input,
      settings: settings({ encryption: 'wireguard' }),
      units: [{ name: 'pve-cni-cilium.service', state: 'failed' }],
      flags: [
        { flag: 'devices', wanted: 'vmbr0', onDisk: 'vmbr1', running: 'vmbr1' },
        { flag: 'ipam', wanted: 'kubernetes', onDisk: 'kubernetes', running: 'multi-pool' },
      ],
    });
    assert.deepEqual(
      found.map(({ what, is }) => [what, is]),
      [
        ['unit pve-cni-cilium.service', 'failed'],
        ['devices', 'vmbr1 on the disk'],
        ['ipam', 'multi-pool in the running agent'],
        ['encryption', 'Disabled'],
      ],
    );
    assert.match(found[1]?.cure ?? '', /config --write, then systemctl restart/);
    assert.equal(found[2]?.cure, 'systemctl restart pve-cni-cilium');
  });
});
