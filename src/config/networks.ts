import { createHash } from 'node:crypto';
import { parseConflist } from '../cni/conflist.ts';
import { isUsable, subnetContains, subnetsOverlap } from '../core/addresses.ts';
import { formatIp, parseCidr, parseIp } from '../core/ip.ts';
import {
  type BridgeNetwork,
  type BridgeNetworkFile,
  type CiliumNetwork,
  type CiliumNetworkFile,
  type CniNetwork,
  type Network,
  networkFile,
  type Subnet,
} from '../model/network.ts';
import { stem } from './files.ts';
import { type Issue, refusal, validate } from './validate.ts';
import { parseYaml } from './yaml.ts';

const defaultMtuBytes = 1500;
/** prefixes that a bridge's subnet may have: enough for a gateway and a container, no more than can be served */
const prefixes = { 4: { from: 8, to: 30 }, 6: { from: 48, to: 126 } } as const;

/** networks/NAME.yaml. @throws ConfigurationError naming file, field and what is allowed */
export function parseNetwork(text: string, file: string): BridgeNetwork | CiliumNetwork {
  const parsed = validate(networkFile, parseYaml(text, file), file);
  return parsed.type === 'cilium' ? ciliumNetwork(parsed, file) : bridgeNetwork(parsed, file);
}

function bridgeNetwork({ bridge, subnets, ipam, nat }: BridgeNetworkFile, file: string): BridgeNetwork {
  const issues = [...subnetIssues(subnets), ...wholeIssues({ subnets, ipam, nat })];
  if (issues.length > 0) throw refusal(file, issues, { network: stem(file) });
  return {
    name: stem(file),
    file,
    warnings: [],
    type: 'bridge',
    bridge: { name: bridge.name ?? bridgeName(stem(file)), mtuBytes: bridge.mtu ?? defaultMtuBytes },
    subnets,
    ipam,
    nat,
  };
}

function ciliumNetwork({ mode, on = '', subnets, ipam, nat }: CiliumNetworkFile, file: string): CiliumNetwork {
  const chosen = ipam ?? (subnets.length > 0 ? 'sticky' : 'agent');
  const issues = [...subnetIssues(subnets), ...ciliumIssues({ mode, on, subnets, ipam: chosen, nat })];
  if (issues.length > 0) throw refusal(file, issues, { network: stem(file) });
  return { name: stem(file), file, warnings: [], type: 'cilium', mode, on, base: null, subnets, ipam: chosen, nat, conflist: null };
}

/** networks/*.conflist and *.conf. A first plugin cilium-cni makes it a network of type cilium.
 *  @throws CNIError, ConfigurationError naming file and field */
export function parseCniNetwork(text: string, file: string): CniNetwork | CiliumNetwork {
  const conflist = parseConflist(text.replace(/^\uFEFF/, ''), file);
  const known = { name: conflist.name, file, warnings: [] };
  if (conflist.plugins[0]?.type !== 'cilium-cni') return { ...known, type: 'cni', conflist };
  return { ...known, type: 'cilium', mode: 'endpoint', on: '', base: null, subnets: [], ipam: 'agent', nat: false, conflist };
}

/** A chained network with the bridge network that it names, when there is one. */
export function withBase(network: Network, networks: ReadonlyMap<string, Network>): Network {
  if (network.type !== 'cilium' || network.mode !== 'chained') return network;
  const named = networks.get(network.on);
  return { ...network, base: named?.type === 'bridge' ? named : null };
}

/** Files outside the root that a network names; when one is missing it is a warning. */
export function filesNamedBy(network: Network): string[] {
  if (network.type !== 'cilium') return [];
  return (network.conflist?.plugins ?? []).flatMap(({ kubernetes }) => {
    const path = (kubernetes as { kubeconfig?: unknown } | null | undefined)?.kubeconfig;
    return typeof path === 'string' && path !== '' ? [path] : [];
  });
}

/** Why two networks cannot both be; null when they can. `earlier` serves. */
export function conflict(later: Network, earlier: Network): Issue | null {
  if (later.name === earlier.name)
    return {
      field: 'name',
      message: `${later.name} is the name of the network in ${earlier.file} too; rename one of the two`,
      code: 'CONFIG_DUPLICATE',
    };
  if (!('subnets' in later) || !('subnets' in earlier)) return null;
  if (later.type === 'bridge' && earlier.type === 'bridge' && later.bridge.name === earlier.bridge.name)
    return { field: 'bridge.name', message: `${later.bridge.name} is the bridge of ${earlier.file} too; name another` };
  for (const [index, subnet] of later.subnets.entries()) {
    const other = earlier.subnets.find((one) => subnetsOverlap(subnet, one));
    if (other)
      return { field: `subnets[${index}].cidr`, message: `${subnet.cidr} overlaps ${other.cidr} of ${earlier.file}; choose another` };
  }
  return null;
}

/** cnibr-NAME, or a short digest of a name that is too long for Linux (15 characters). */
function bridgeName(network: string): string {
  const plain = `cnibr-${network}`;
  return plain.length <= 15 ? plain : `cnibr-${createHash('sha256').update(network).digest('hex').slice(0, 8)}`;
}

function subnetIssues(subnets: readonly Subnet[]): Issue[] {
  return subnets.flatMap((subnet, index) => {
    const field = `subnets[${index}]`;
    const wrong = cidrIssue(subnet.cidr);
    if (wrong) return [{ field: `${field}.cidr`, message: wrong }];
    const overlapping = subnets.slice(0, index).find((other) => !cidrIssue(other.cidr) && subnetsOverlap(subnet, other));
    return [
      overlapping ? { field: `${field}.cidr`, message: `${subnet.cidr} overlaps ${overlapping.cidr} of the same network` } : null,
      subnet.gateway === undefined ? null : gatewayIssue(subnet, subnet.gateway, `${field}.gateway`),
      subnet.range === undefined ? null : rangeIssue(subnet, subnet.range, `${field}.range`),
    ].filter((issue) => issue !== null);
  });
}

function cidrIssue(cidr: string): string | null {
  const parsed = parseCidr(cidr);
  if (!parsed) return 'must be an address with a prefix length, such as 10.20.0.0/24';
  const { family, prefix, first } = parsed;
  const { from, to } = prefixes[family];
  if (prefix < from || prefix > to) return `must have a prefix from /${from} to /${to} for IPv${family}, not /${prefix}`;
  if (parseIp(cidr.split('/')[0] ?? '')?.value !== first)
    return `must be ${formatIp({ family, value: first })}/${prefix}: ${cidr} is an address inside that subnet`;
  return null;
}

function gatewayIssue(subnet: Subnet, gateway: string, field: string): Issue | null {
  if (!subnetContains(subnet, gateway)) return { field, message: `must lie inside ${subnet.cidr}; ${gateway} does not` };
  if (isUsable({ cidr: subnet.cidr }, gateway)) return null;
  return { field, message: `must be an address that a host may have; ${gateway} is the network or broadcast address of ${subnet.cidr}` };
}

function rangeIssue(subnet: Subnet, range: string, field: string): Issue | null {
  const [first, last] = range.split('-').map(parseIp);
  if (!first || !last) return { field, message: 'must be FIRST-LAST, two addresses' };
  if (first.family !== last.family) return { field, message: 'must be two addresses of one family' };
  if (first.value > last.value) return { field, message: 'must begin with the lower address' };
  const outside = [first, last].map(formatIp).find((address) => !subnetContains(subnet, address));
  return outside === undefined ? null : { field, message: `must lie inside ${subnet.cidr}; ${outside} does not` };
}

function ciliumIssues({ mode, on, subnets, ipam, nat }: Pick<CiliumNetwork, 'mode' | 'on' | 'subnets' | 'ipam' | 'nat'>): Issue[] {
  const issue = (wrong: boolean, field: string, message: string): Issue[] => (wrong ? [{ field, message }] : []);
  if (mode === 'chained')
    return [
      ...issue(on === '', 'on', 'is missing; a chained network names a bridge of the node, such as vmbr0, or a bridge network of ours'),
      ...issue(subnets.length > 0, 'subnets', 'must be absent with mode chained: the interface brings its address'),
      ...issue(nat, 'nat', 'must be absent with mode chained: the bridge leads where it leads'),
    ];
  return [
    ...issue(on !== '', 'on', 'needs mode: chained'),
    ...issue(ipam === 'sticky' && subnets.length === 0, 'subnets', 'is missing; with ipam sticky addresses are given from subnets'),
    ...issue(
      ipam === 'agent' && subnets.length > 0,
      'subnets',
      'must be absent with ipam agent: the range is the node’s (cilium.ipv4Range)',
    ),
    ...issue(nat && subnets.length === 0, 'nat', 'needs subnets; what the agent gives is masqueraded by the agent (cilium.masquerade)'),
  ];
}

function wholeIssues({ subnets, ipam, nat }: Pick<BridgeNetwork, 'subnets' | 'ipam' | 'nat'>): Issue[] {
  const issues: Issue[] = [];
  if (ipam === 'host-local' && subnets.length === 0)
    issues.push({ field: 'ipam', message: 'host-local gives addresses of a subnet; add one to subnets' });
  if (nat && !subnets.some(({ gateway }) => gateway !== undefined))
    issues.push({ field: 'nat', message: 'needs a subnet with a gateway, which containers send their packets to' });
  return issues;
}
