import assert from 'node:assert/strict';
import { isOlder, openings, overlap, type PreflightInput, preflight } from '../../../src/core/cilium-preflight.ts';
import { ciliumSettings } from '../../../src/model/cilium.ts';
import type { NodeFacts } from '../../../src/model/node-facts.ts';

const facts: NodeFacts = {
  kernel: { release: '6.8.12-4-pve', filesystems: ['bpf', 'cgroup2'], btf: true },
  probes: { veth: true, vxlan: true, clsact: true, wireguard: true, esp: true },
  mounts: { bpffs: 'bpf', ofHost: true },
  rpFilter: 2,
  devices: [{ name: 'vmbr0', exists: true, up: true, addresses: ['192.0.2.10/24', '2001:db8::10/64'], hooks: [] }],
  reached: [
    { cidr: '192.0.2.10/24', link: 'vmbr0', what: 'address' },
    { cidr: '10.244.9.0/24', link: 'cilium_host', what: 'route' },
  ],
  vxlans: [],
  tools: {
    skopeo: 'skopeo version 1.9.3',
    umoci: 'umoci 0.4.7',
    etcd: 'etcd Version: 3.4.23',
    clang: null,
    ipset: 'ipset v7.17, protocol version: 7',
    iptables: 'v1.8.9',
    tc: 'tc',
    bpftool: 'v7',
  },
  etcd: [],
  firewall: { unread: null, filters: null, ports: [], esp: false },
  freeMegabytes: 20_000,
};

type Change = { [key in keyof NodeFacts]?: Partial<NodeFacts[key]> };

function look(settings: object = {}, changes: Change = {}, more: Partial<PreflightInput> = {}) {
  const changed = Object.fromEntries(
    Object.entries(facts).map(([name, value]) => {
      const change = changes[name as keyof NodeFacts];
      const whole = Array.isArray(value) || typeof value !== 'object' || change === undefined;
      return [name, whole ? (change ?? value) : Object.assign({}, value, change)];
    }),
  ) as unknown as NodeFacts; // the same keys
  const parsed = ciliumSettings.parse({ devices: ['vmbr0'], ipv4Range: '10.244.1.0/24', ...settings });
  return preflight({ settings: parsed, facts: changed, networks: [], source: 'image', ...more });
}

const wrong = (...args: Parameters<typeof look>) =>
  look(...args).flatMap(({ name, state, message, cure }) => (state === 'ok' ? [] : [`${name} ${state}: ${message} → ${cure}`]));

describe('the preflight', () => {
  it('finds nothing wrong on a node that has everything', () => {
    assert.deepEqual(wrong(), []);
    assert.ok(look().length >= 12);
  });

  const cases: [string, Parameters<typeof look>, RegExp][] = [
    ['an old kernel', [{}, { kernel: { release: '5.4.0' } }], /^kernel bad: the kernel 5.4.0 is older than 5.10/],
    ['a kernel without BPF', [{}, { kernel: { filesystems: ['cgroup2'] } }], /^kernel bad: .*no BPF/],
    ['a kernel without cgroup2', [{}, { kernel: { filesystems: ['bpf'] } }], /^kernel bad: .*cgroup2/],
    [
      'a kernel without vxlan, for a tunnel',
      [{}, { probes: { vxlan: 'Unknown device type' } }],
      /^routing bad: .*vxlan.*Unknown device type/,
    ],
    [
      'a kernel without WireGuard',
      [{ encryption: 'wireguard' }, { probes: { wireguard: 'Unknown device type' } }],
      /^encryption bad: .*lacks WireGuard: Unknown device type/,
    ],
    [
      'a kernel without ESP',
      [{ encryption: 'ipsec' }, { probes: { esp: 'Requested AEAD algorithm not found' } }],
      /^encryption bad: .*lacks ESP .*AEAD/,
    ],
    ['no bpffs', [{}, { mounts: { bpffs: '' } }], /^mounts bad: bpffs is not mounted at \/sys\/fs\/bpf → mount -t bpf/],
    ['another file system at bpffs’ place', [{}, { mounts: { bpffs: 'tmpfs' } }], /^mounts bad: a file system tmpfs/],
    [
      'bpffs mounted twice',
      [{}, { mounts: { bpffs: 'bpf, bpf' } }],
      /^mounts bad: several file systems .* the agent ends itself: bpf, bpf/,
    ],
    ['a mount namespace of the service’s own', [{}, { mounts: { ofHost: false } }], /^mounts warning: .*mount namespace of its own/],
    ['strict reverse paths', [{}, { rpFilter: 1 as never }], /^reversePath warning: net.ipv4.conf.all.rp_filter is 1/],
    ['no devices', [{ devices: [] }, { devices: [] }], /^devices bad: cilium.devices names no device/],
    [
      'a device that does not exist',
      [{ nodeAddress: '192.0.2.10' }, { devices: [{ name: 'vmbr0', exists: false, up: false, addresses: [], hooks: [] }] }],
      /^devices bad: the device vmbr0 .* does not exist/,
    ],
    [
      'a device without an address',
      [{}, { devices: [{ name: 'vmbr0', exists: true, up: true, addresses: [], hooks: [] }] }],
      /^devices bad: vmbr0 has no address .* → set cilium.nodeAddress/,
    ],
    ['an address of another node', [{ nodeAddress: '192.0.2.99' }], /^devices bad: cilium.nodeAddress 192.0.2.99 is on no device/],
    [
      'programs of others',
      [{}, { devices: [{ name: 'vmbr0', exists: true, up: true, addresses: ['192.0.2.10/24'], hooks: ['the XDP program drop'] }] }],
      /^otherPrograms warning: on vmbr0 is also the XDP program drop/,
    ],
    ['no range', [{ ipv4Range: undefined }], /^ranges bad: cilium.ipv4Range is not set/],
    [
      'a range that the node is in',
      [{ ipv4Range: '192.0.0.0/16' }],
      /^ranges bad: .*192.0.0.0\/16.* overlaps 192.0.2.10\/24, an address of vmbr0/,
    ],
    [
      'a range of a network',
      [{}, {}, { networks: [{ name: 'web', cidr: '10.244.0.0/16' }] }],
      /^ranges bad: .*overlaps 10.244.0.0\/16 of network "web"/,
    ],
    ['another VXLAN on the port', [{}, { vxlans: [{ link: 'flannel.1', port: 8472 }] }], /^routing bad: flannel.1 has the VXLAN port 8472/],
    ['no etcd to embed', [{}, { tools: { etcd: null } }], /^etcd bad: .*not installed → apt install etcd-server/],
    [
      'no etcd that answers',
      [
        { etcd: { endpoints: ['https://10.0.0.1:2379'] } },
        { etcd: [{ endpoint: 'https://10.0.0.1:2379', problem: 'curl: (60) SSL certificate problem' }] },
      ],
      /^etcd bad: etcd at https:\/\/10.0.0.1:2379: curl: \(60\) SSL.*no certificate of ours/,
    ],
    [
      'tools for the image',
      [{}, { tools: { skopeo: null, umoci: null } }],
      /^tools bad: skopeo and umoci are not installed → apt install skopeo umoci/,
    ],
    [
      'a clang that is too old for IPv6',
      [{ ipv6Range: 'fd00:244:1::/112' }, { tools: { clang: 'Debian clang version 14.0.6' } }, { source: 'binaries' }],
      /^tools bad: Debian clang version 14.0.6 is too old for IPv6: Cilium needs 18.1/,
    ],
    [
      'no ipset where nodes route',
      [{ routing: 'native', nativeRange: '10.0.0.0/8' }, { tools: { ipset: null } }],
      /^tools bad: ipset is not installed → apt install ipset/,
    ],
    ['no room', [{}, { freeMegabytes: 900 as never }], /^space bad: only 900 MB are free/],
    [
      'a firewall that is closed to the tunnel',
      [{}, { firewall: { filters: 'Proxmox’s firewall' } }],
      /^firewall warning: Proxmox’s firewall filters .* no rule for 8472\/udp \(VXLAN\).* → .*-p udp -dport 8472/,
    ],
  ];
  for (const [name, args, expected] of cases)
    it(`names ${name}`, () => {
      const found = wrong(...args);
      assert.ok(
        found.some((line) => expected.test(line)),
        `${expected} in\n${found.join('\n')}`,
      );
      assert.equal(found.length, 1, found.join('\n'));
    });

  it('says when the firewall could not be read', () => {
    const [found] = look({}, { firewall: { unread: 'nft is not there' } }).filter(({ name }) => name === 'firewall');
    assert.equal(found?.state, 'warning');
    assert.match(found?.message ?? '', /8472.* is not known: nft is not there/);
  });

  it('lets a firewall pass that names the ports, and names etcd’s', () => {
    const settings = { encryption: 'wireguard', etcd: { endpoints: ['https://10.0.0.1:2379'] } };
    const etcd = [{ endpoint: 'https://10.0.0.1:2379', problem: null }];
    const found = look(settings, { etcd, firewall: { filters: 'Proxmox’s firewall', ports: [22, 8472, 51871] } });
    assert.deepEqual(
      found.filter(({ state }) => state !== 'ok'),
      [],
    );
    assert.match(
      found.find(({ name }) => name === 'firewall')?.message ?? '',
      /8472\/udp \(VXLAN\) and 51871\/udp \(WireGuard\).*10.0.0.1:2379 \(etcd\)/,
    );
  });

  it('is not stopped by one of several etcds that is down', () => {
    const endpoints = ['http://10.0.0.1:2379', 'http://10.0.0.2:2379'];
    const found = wrong(
      { etcd: { endpoints } },
      {
        etcd: [
          { endpoint: endpoints[0] as string, problem: 'nobody listens' },
          { endpoint: endpoints[1] as string, problem: null },
        ],
      },
    );
    assert.equal(found.length, 1);
    assert.match(found[0] ?? '', /^etcd warning/);
  });

  it('does not count the agent’s own links and routes as a conflict', () => {
    assert.deepEqual(wrong({ ipv4Range: '10.244.9.0/24' }), []);
  });

  it('needs no VXLAN and no opening with native routing', () => {
    assert.deepEqual(
      wrong({ routing: 'native', nativeRange: '10.244.0.0/16' }, { probes: { vxlan: 'no' }, firewall: { filters: 'x' } }),
      [],
    );
    assert.deepEqual(openings(ciliumSettings.parse({ routing: 'native' })), []);
  });

  it('compares versions of kernels by number and ranges by family', () => {
    assert.equal(isOlder('5.9.1', 5, 10), true);
    assert.equal(isOlder('5.10.0-30-amd64', 5, 10), false);
    assert.equal(isOlder('6.1', 5, 10), false);
    assert.equal(isOlder('custom', 5, 10), false);
    assert.equal(overlap('10.0.0.0/8', '10.1.0.0/16'), true);
    assert.equal(overlap('10.0.0.0/16', '10.1.0.0/16'), false);
    assert.equal(overlap('::/0', '10.1.0.0/16'), false);
  });
});
