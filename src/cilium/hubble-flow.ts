import { vmidOf } from '../core/labels.ts';
import type { Flow, FlowDirection, FlowEnd, FlowLossPlace, FlowPeer, FlowProtocol, FlowVerdict } from '../model/flow.ts';
import { dropReason } from './drop-reasons.ts';
import type { RawEndpoint, RawFlow, RawLoss, RawPolicy, RawTime } from './hubble-protocol.ts';

/** Who has an address now, among the containers of this node. */
export type AddressOwner = (address: string) => { vmid: number; name: string } | null;

// numbers of enumerations: api/v1/flow/flow.proto
const verdicts: Record<number, FlowVerdict> = { 1: 'forwarded', 2: 'dropped', 3: 'error', 4: 'audit', 5: 'redirected' };
const directions: Record<number, FlowDirection> = { 1: 'ingress', 2: 'egress' };
const lossPlaces: Record<number, FlowLossPlace> = { 1: 'kernel', 2: 'agent', 3: 'hubble' };
const traceEvent = 4;
const ofKnownConnections = [2, 3]; // TraceReason ESTABLISHED, REPLY

/** A flow of Hubble's as one of ours; null for what tells nothing new: a packet of a connection that was told of before. The protocol's
 *  decoder vouches for types; how much there is of a thing is bounded here. */
export function flowOf(raw: RawFlow, ownerOf: AddressOwner): Flow | null {
  const verdict = verdicts[raw.verdict ?? 0];
  const time = msOf(raw.time);
  if (!verdict || time === null) return null;
  if (raw.eventType?.type === traceEvent && ofKnownConnections.includes(raw.traceReason ?? 0)) return null;
  const { protocol, ports, detail } = contentOf(raw);
  const { source = '', destination = '' } = raw.IP ?? {};
  return {
    time,
    origin: 'hubble',
    verdict,
    direction: directionOf(raw),
    protocol,
    from: endOf(raw.source, clipped(source, 45), ports?.sourcePort, raw.sourceNames, ownerOf),
    to: endOf(raw.destination, clipped(destination, 45), ports?.destinationPort, raw.destinationNames, ownerOf),
    reason: verdict === 'dropped' ? reasonOf(raw) : '',
    policies: policiesOf(raw),
    detail: clipped(detail, 256),
  };
}

/** A proxy gives no number. */
function reasonOf({ dropReasonDesc = 0, l7 }: RawFlow): string {
  return l7 && dropReasonDesc === 0 ? 'no rule allows the content' : dropReason(dropReasonDesc);
}

/** Where something was let through without a policy's verdict, the point where it was seen says more than Hubble's own word: that calls what
 *  arrives at a container egress when its datapath noted the source's address (decodeTrafficDirection of pkg/hubble/parser/threefour). */
function directionOf({ eventType, trafficDirection = 0 }: RawFlow): FlowDirection | null {
  const point = eventType?.type === traceEvent ? tracePoints[eventType.subType ?? 0] : undefined;
  return point ?? directions[trafficDirection] ?? null;
}

// TraceTo* of pkg/monitor/api/types.go: an endpoint; host, stack and overlay
const tracePoints: Record<number, FlowDirection> = { 0: 'ingress', 2: 'egress', 3: 'egress', 4: 'egress' };

/** How many were lost, and where. */
export function lossOf({ source = 0, numEventsLost = 0 }: RawLoss): { place: FlowLossPlace; count: number } {
  const count = Number.isSafeInteger(numEventsLost) && numEventsLost > 0 ? numEventsLost : 1;
  return { place: lossPlaces[source] ?? 'agent', count };
}

export function msOf(time: RawTime | null | undefined): number | null {
  const ms = (time?.seconds ?? 0) * 1000 + Math.floor((time?.nanos ?? 0) / 1e6);
  // what a date can hold
  return time && Math.abs(ms) <= 8.64e15 ? ms : null;
}

/** What the packet or message was. Ports only where the protocol has them. */
function contentOf({ l4, l7 }: RawFlow): {
  protocol: FlowProtocol;
  ports?: { sourcePort?: number; destinationPort?: number };
  detail: string;
} {
  const ports = l4?.TCP ?? l4?.UDP ?? l4?.SCTP;
  if (l7?.dns) {
    const { query = '', qtypes = [], rcode = 0 } = l7.dns;
    const answer = rcode === 0 ? '' : ` rcode ${rcode}`;
    return { protocol: 'dns', ...(ports && { ports }), detail: `${qtypes.slice(0, 4).join(',')} ${query}${answer}`.trim() };
  }
  if (l7?.http) {
    const { method = '', url = '', code = 0 } = l7.http;
    return { protocol: 'http', ...(ports && { ports }), detail: `${method} ${url}${code ? ` ${code}` : ''}`.trim() };
  }
  if (l4?.TCP) return { protocol: 'tcp', ports: l4.TCP, detail: '' };
  if (l4?.UDP) return { protocol: 'udp', ports: l4.UDP, detail: '' };
  if (l4?.SCTP) return { protocol: 'sctp', ports: l4.SCTP, detail: '' };
  if (l4?.ICMPv4) return { protocol: 'icmp', detail: icmpDetail(icmpTypes, l4.ICMPv4) };
  if (l4?.ICMPv6) return { protocol: 'icmpv6', detail: icmpDetail(icmpv6Types, l4.ICMPv6) };
  if (l4?.VRRP) return { protocol: 'vrrp', detail: '' };
  return { protocol: l4?.IGMP ? 'igmp' : 'other', detail: '' };
}

// https://www.iana.org/assignments/icmp-parameters, icmpv6-parameters
const icmpTypes: Record<number, string> = { 0: 'echo reply', 3: 'unreachable', 5: 'redirect', 8: 'echo request', 11: 'time exceeded' };
const icmpv6Types: Record<number, string> = {
  1: 'unreachable',
  2: 'packet too big',
  3: 'time exceeded',
  128: 'echo request',
  129: 'echo reply',
  133: 'router solicitation',
  134: 'router advertisement',
  135: 'neighbour solicitation',
  136: 'neighbour advertisement',
  143: 'multicast listener report',
};

function icmpDetail(types: Record<number, string>, { type = 0, code = 0 }: { type?: number; code?: number }): string {
  return types[type] ?? `type ${type} code ${code}`;
}

/** `reserved:` labels say what is no container; ours say which container it is, on this node and on others. */
function endOf(
  endpoint: RawEndpoint | null | undefined,
  address: string,
  port: number | undefined,
  names: readonly string[] = [],
  ownerOf: AddressOwner,
): FlowEnd {
  const labels = endpoint?.labels ?? [];
  const end = { address, port: port === undefined || port > 65535 ? null : port };
  const vmid = vmidOf(labels);
  if (vmid !== null) {
    const name = labels.find((one) => one.startsWith('k8s:name='))?.slice('k8s:name='.length);
    return { ...end, kind: 'container', vmid, name: clipped(name || String(vmid), 63) };
  }
  const kind = reservedKind(labels);
  if (kind === 'host' || kind === 'node') return { ...end, kind, vmid: null, name: '' };
  const owner = address === '' ? null : ownerOf(address);
  if (owner) return { ...end, kind: 'container', vmid: owner.vmid, name: clipped(owner.name, 63) };
  if (kind === 'world') return { ...end, kind, vmid: null, name: clipped((names[0] ?? '').replace(/\.$/, ''), 253) };
  const own = labels.filter((one) => !one.startsWith('reserved:') && !one.includes('io.kubernetes.') && !one.includes('io.cilium.'));
  const text = clipped(own.slice(0, 16).join(','), 253);
  return { ...end, kind: text ? 'endpoint' : 'unknown', vmid: null, name: text };
}

function reservedKind(labels: readonly string[]): FlowPeer | null {
  if (labels.includes('reserved:host')) return 'host';
  if (labels.includes('reserved:remote-node') || labels.includes('reserved:kube-apiserver')) return 'node';
  return labels.some((one) => one.startsWith('reserved:world')) ? 'world' : null;
}

function policiesOf({ egressAllowedBy, ingressAllowedBy, egressDeniedBy, ingressDeniedBy }: RawFlow): string[] {
  const all = [egressDeniedBy, ingressDeniedBy, egressAllowedBy, ingressAllowedBy].flatMap((some) => some ?? []);
  return [...new Set(all.map(policyName).filter(Boolean))].slice(0, 16);
}

/** Hubble gives names to policies from Kubernetes only; those from files are known by their file (pkg/policy/directory/watcher.go). */
function policyName({ name, labels = [] }: RawPolicy): string {
  const prefix = 'directory:filename=';
  const file = labels.find((one) => one.startsWith(prefix))?.slice(prefix.length);
  return clipped(name || file?.replace(/\.yaml$/, '') || '', 253);
}

function clipped(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}
