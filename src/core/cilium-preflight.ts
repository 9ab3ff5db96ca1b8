import type { CiliumSettings } from '../model/cilium.ts';
import { ciliumVersion } from '../model/cilium.ts';
import type { KernelProbe, NodeFacts } from '../model/node-facts.ts';
import { embeddedEtcd, nodeAddressOf } from './cilium-agent.ts';
import { parseCidr, parseIp } from './ip.ts';

/** Whether Cilium's agent can live on a node beside what is there: one row a check, each finding with its cure. `bad` stops an
 *  installation, `warning` does not. */

export interface PreflightInput {
  settings: CiliumSettings;
  facts: NodeFacts;
  /** ranges of our other networks: what to name them by, and the range */
  networks: readonly { name: string; cidr: string }[];
  /** where the agent is to come from; null: nothing is to be installed */
  source: 'image' | 'binaries' | null;
}

export interface Finding {
  state: 'ok' | 'warning' | 'bad';
  message: string;
  cure: string;
}
export type NamedFinding = Finding & { name: string };

const ok = (message: string): Finding => ({ state: 'ok', message, cure: '' });
const warning = (message: string, cure: string): Finding => ({ state: 'warning', message, cure });
const bad = (message: string, cure: string): Finding => ({ state: 'bad', message, cure });

const checks: Record<string, (input: PreflightInput) => Finding[]> = {
  kernel: ({ facts: { kernel, probes } }) => {
    const findings: Finding[] = [];
    if (isOlder(kernel.release, 5, 10))
      findings.push(
        bad(`the kernel ${kernel.release} is older than 5.10, the oldest that Cilium ${ciliumVersion} runs on`, 'use a newer kernel'),
      );
    if (!kernel.filesystems.includes('bpf'))
      findings.push(bad('the kernel has no BPF (CONFIG_BPF_SYSCALL)', 'use a kernel of Proxmox or Debian'));
    if (!kernel.filesystems.includes('cgroup2')) findings.push(bad('the kernel has no cgroup2', 'use a kernel of Proxmox or Debian'));
    if (!kernel.btf)
      findings.push(
        warning('the kernel does not describe its types (no /sys/kernel/btf/vmlinux)', 'use a kernel with CONFIG_DEBUG_INFO_BTF'),
      );
    for (const probe of ['veth', 'clsact'] as const) findings.push(...lacks(probes, probe, 'which every endpoint needs'));
    if (findings.length > 0) return findings;
    return [
      ok(
        `${kernel.release}: BPF, cgroup2, veth and clsact${isOlder(kernel.release, 6, 6) ? '; programs are attached by tc, tcx came with 6.6' : ' and tcx'}`,
      ),
    ];
  },
  routing: ({ settings: { routing, nativeRange, ipv4Range }, facts: { probes, vxlans } }) => {
    if (routing === 'native')
      return nativeRange || !ipv4Range
        ? [ok('native: nodes are on one link; nothing is put around packets')]
        : [
            warning(
              'routing is native without nativeRange: all that leaves the node is masqueraded',
              'set cilium.nativeRange to what is routed',
            ),
          ];
    const others = vxlans.filter(({ link, port }) => port === 8472 && link !== 'cilium_vxlan');
    return [
      ...lacks(probes, 'vxlan', 'which the tunnel between nodes needs; or set cilium.routing: native'),
      ...others.map(({ link }) =>
        bad(
          `${link} has the VXLAN port 8472 that Cilium’s tunnel takes`,
          `give ${link} another port or remove it, or set cilium.routing: native`,
        ),
      ),
      ...(probes.vxlan === true && others.length === 0 ? [ok('tunnel: VXLAN, port 8472, which nothing else takes')] : []),
    ];
  },
  encryption: ({ settings: { encryption }, facts: { probes } }) => {
    const [probe, name] = (
      { none: [null, ''], wireguard: ['wireguard', 'WireGuard'], ipsec: ['esp', 'ESP with AES-GCM and output masks'] } as const
    )[encryption];
    if (probe === null) return [ok('none: what goes from node to node can be read on the way')];
    const reason = probes[probe];
    if (reason === true) return [ok(`${encryption}: the kernel has ${name}`)];
    return [
      bad(
        `cilium.encryption is ${encryption}, but the kernel lacks ${name}: ${reason}`,
        'use a kernel that has it, or set cilium.encryption: none',
      ),
    ];
  },
  mounts: ({ facts: { mounts } }) => [
    ...(mounts.ofHost
      ? []
      : [
          warning(
            'the service runs in a mount namespace of its own: what is mounted here, the host may not see',
            'remove ProtectSystem, PrivateTmp and the like from the unit',
          ),
        ]),
    mounts.bpffs === 'bpf'
      ? ok('bpffs is mounted at /sys/fs/bpf')
      : bad(
          mounts.bpffs.includes(',')
            ? `several file systems are mounted at /sys/fs/bpf, over which the agent ends itself: ${mounts.bpffs}`
            : mounts.bpffs
              ? `a file system ${mounts.bpffs} is mounted at /sys/fs/bpf, not bpffs`
              : 'bpffs is not mounted at /sys/fs/bpf',
          mounts.bpffs ? 'umount /sys/fs/bpf, until it is one bpffs' : 'mount -t bpf bpf /sys/fs/bpf (systemd does it at boot)',
        ),
  ],
  reversePath: ({ facts: { rpFilter } }) =>
    rpFilter === 1
      ? [
          warning(
            'net.ipv4.conf.all.rp_filter is 1 (strict): it drops what Cilium turns round, and the agent sets it to 0 for all of the node',
            'set it to 0 and net.ipv4.conf.IFACE.rp_filter of your uplinks to 1 in /etc/sysctl.d',
          ),
        ]
      : [ok(`net.ipv4.conf.all.rp_filter is ${rpFilter}`)],
  devices: ({ settings, facts: { devices, reached } }) => {
    if (settings.devices.length === 0)
      return [
        bad(
          'cilium.devices names no device, and Cilium’s own search passes over bridges',
          'set it in pve-cnid.yaml, such as cilium: { devices: [vmbr0] }',
        ),
      ];
    const findings = devices.flatMap(({ name, exists, up }) => {
      if (!exists) return [bad(`the device ${name} of cilium.devices does not exist`, 'make it, or correct cilium.devices')];
      return up ? [] : [warning(`the device ${name} is down`, `ip link set ${name} up`)];
    });
    const address = nodeAddressOf(settings, devices);
    if (address === null)
      findings.push(bad(`${settings.devices[0]} has no address for other nodes to reach this one at`, 'set cilium.nodeAddress'));
    else if (!reached.some(({ cidr, what }) => what === 'address' && sameAddress(cidr, address)))
      findings.push(bad(`cilium.nodeAddress ${address} is on no device of this node`, 'correct it'));
    return findings.length > 0 ? findings : [ok(`${settings.devices.join(', ')}; other nodes reach this one at ${address}`)];
  },
  otherPrograms: ({ facts: { devices, tools } }) => {
    const found = devices.flatMap(({ name, hooks }) =>
      hooks.map((hook) => warning(`on ${name} is also ${hook}: it may change or drop what Cilium sees`, 'see that both are wanted')),
    );
    if (found.length > 0) return found;
    return [
      ok(
        tools.bpftool === null
          ? 'no XDP program and no tc filter of others on the devices; tcx is not looked at without bpftool'
          : 'no XDP, tc or tcx program of others on the devices',
      ),
    ];
  },
  ranges: ({ settings, facts: { reached }, networks }) => {
    if (!settings.ipv4Range)
      return [
        bad(
          'cilium.ipv4Range is not set: the agent would take a range 10.N.0.0/16 by itself, whatever is in it',
          'set a range that no other node and nothing else has, such as cilium: { ipv4Range: 10.244.1.0/24 }',
        ),
      ];
    const wanted = [settings.ipv4Range, settings.ipv6Range].filter((range): range is string => range !== undefined);
    const findings = wanted.flatMap((range) => [
      ...reached
        .filter(({ link, cidr }) => !/^(cilium_|lxc)/.test(link) && overlap(range, cidr))
        .map(({ cidr, link, what }) =>
          bad(
            `the range ${range} of this node overlaps ${cidr}, ${what === 'address' ? 'an address' : 'a route'} of ${link}`,
            'choose another range',
          ),
        ),
      ...networks
        .filter(({ cidr }) => overlap(range, cidr))
        .map(({ name, cidr }) =>
          bad(`the range ${range} of this node overlaps ${cidr} of network "${name}"`, 'choose another range, or change the network'),
        ),
    ]);
    return findings.length > 0 ? findings : [ok(`${wanted.join(' and ')} overlap nothing that the node or our networks have`)];
  },
  etcd: ({ settings, facts: { etcd, tools } }) => {
    if (settings.etcd === 'embedded')
      return [
        tools.etcd === null
          ? bad('cilium.etcd is embedded, but etcd is not installed', 'apt install etcd-server, or name a cluster in cilium.etcd.endpoints')
          : ok(`embedded: ${tools.etcd}, on ${embeddedEtcd}, for this node alone`),
      ];
    const down = etcd.flatMap(({ endpoint, problem }) => (problem === null ? [] : [{ endpoint, problem }]));
    if (down.length === 0) return [ok(`healthy: ${etcd.map(({ endpoint }) => endpoint).join(', ')}`)];
    const all = down.length === etcd.length;
    const anonymous = settings.etcd.certFile ? '' : ' (no certificate of ours is set: cilium.etcd.certFile)';
    return down.map(({ endpoint, problem }) =>
      (all ? bad : warning)(
        `etcd at ${endpoint}: ${problem}${endpoint.startsWith('https:') ? anonymous : ''}`,
        'start it, or correct cilium.etcd; without etcd no endpoint gets an identity',
      ),
    );
  },
  tools: ({ settings, facts: { tools }, source }) => {
    const needed = { image: ['skopeo', 'umoci', 'iptables'], binaries: ['iptables'], none: ['iptables'] } as const;
    // where nodes route, the agent keeps their addresses in a set, so that it does not masquerade what goes to them
    const routes = settings.routing === 'native' && settings.masquerade ? (['ipset'] as const) : [];
    const missing = [...needed[source ?? 'none'], ...routes].filter((tool) => tools[tool] === null);
    if (missing.length > 0)
      return [bad(`${missing.join(' and ')} ${missing.length > 1 ? 'are' : 'is'} not installed`, `apt install ${missing.join(' ')}`)];
    if (source === 'image') return [ok('skopeo and umoci fetch and unpack the image, which brings its own clang')];
    if (tools.clang === null)
      return [
        warning('clang, which compiles the agent’s programs, is not installed', 'apt install clang, unless it lies beside the agent'),
      ];
    // clang 14 was seen to work for IPv4, and to make a program for IPv6 that the kernel's verifier rejects
    const old = Number(/version (\d+)/.exec(tools.clang)?.[1] ?? '99') < 18;
    if (old && settings.ipv6Range)
      return [bad(`${tools.clang} is too old for IPv6: Cilium needs 18.1`, 'apt install clang-19, and put it first on the agent’s PATH')];
    return [old ? warning(`${tools.clang}: Cilium asks for 18.1`, 'apt install clang-19') : ok(`${tools.clang}; iptables`)];
  },
  space: ({ facts: { freeMegabytes }, source }) => {
    const needed = { image: 3000, binaries: 500, none: 100 }[source ?? 'none'];
    return [
      freeMegabytes >= needed
        ? ok(`${freeMegabytes} MB are free`)
        : bad(`only ${freeMegabytes} MB are free where the agent is to be put; ${needed} are needed while it is unpacked`, 'make room'),
    ];
  },
  firewall: (input) => firewallFindings(input),
};

/** What other nodes must be let through to this one. */
export function openings(settings: CiliumSettings): { what: string; port: number | null; protocol: 'udp' | 'tcp' | 'esp' }[] {
  return [
    ...(settings.routing === 'tunnel' ? [{ what: 'VXLAN', port: 8472, protocol: 'udp' as const }] : []),
    ...(settings.encryption === 'wireguard' ? [{ what: 'WireGuard', port: 51871, protocol: 'udp' as const }] : []),
    ...(settings.encryption === 'ipsec' ? [{ what: 'IPsec', port: null, protocol: 'esp' as const }] : []),
  ];
}

function firewallFindings({ settings, facts: { firewall } }: PreflightInput): Finding[] {
  const wanted = openings(settings);
  const outgoing =
    settings.etcd === 'embedded'
      ? ''
      : `; this node must reach ${settings.etcd.endpoints.map((endpoint) => endpoint.replace(/^https?:\/\//, '')).join(', ')} (etcd)`;
  if (wanted.length === 0) return [ok(`containers’ own packets pass between nodes as they are${outgoing}`)];
  const text = ({ what, port, protocol }: (typeof wanted)[number]) =>
    port === null ? `protocol ${protocol} (${what})` : `${port}/${protocol} (${what})`;
  const list = wanted.map(text).join(' and ');
  if (firewall.unread !== null)
    return [warning(`whether other nodes are let through to ${list} is not known: ${firewall.unread}`, 'make `nft list ruleset` work')];
  if (firewall.filters === null) return [ok(`other nodes must be let through to ${list}; nothing here filters it${outgoing}`)];
  const closed = wanted.filter(({ port }) => (port === null ? !firewall.esp : !firewall.ports.includes(port)));
  if (closed.length === 0) return [ok(`${firewall.filters} names ${list}${outgoing}`)];
  return closed.map((opening) =>
    warning(
      `${firewall.filters} filters what comes in and has no rule for ${text(opening)}: containers on other nodes are not reached${outgoing}`,
      opening.port === null
        ? 'let protocol esp in from the other nodes: a rule IN ACCEPT -proto esp'
        : `let it in from the other nodes: a rule IN ACCEPT -p ${opening.protocol} -dport ${opening.port}`,
    ),
  );
}

export function preflight(input: PreflightInput): NamedFinding[] {
  return Object.entries(checks).flatMap(([name, check]) => check(input).map((finding) => ({ name, ...finding })));
}

function lacks(probes: NodeFacts['probes'], probe: KernelProbe, why: string): Finding[] {
  const reason = probes[probe];
  return reason === true ? [] : [bad(`the kernel lacks ${probe}, ${why}: ${reason}`, 'use a kernel that has it')];
}

/** 6.8.12-4-pve is older than 6.10. What is no version counts as new: better asked than refused. */
export function isOlder(release: string, major: number, minor: number): boolean {
  const [, ownMajor, ownMinor] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  if (ownMajor === undefined) return false;
  return Number(ownMajor) < major || (Number(ownMajor) === major && Number(ownMinor) < minor);
}

export function overlap(one: string, other: string): boolean {
  const [left, right] = [parseCidr(one), parseCidr(other)];
  return left !== null && right !== null && left.family === right.family && left.first <= right.last && right.first <= left.last;
}

function sameAddress(cidr: string, address: string): boolean {
  const [left, right] = [parseIp(cidr.split('/')[0] ?? ''), parseIp(address)];
  return left !== null && right !== null && left.family === right.family && left.value === right.value;
}
