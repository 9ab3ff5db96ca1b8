import type { NetworkPolicyFile, NetworkPolicyPeer, NetworkPolicyPort } from '../model/network-policy.ts';
import type { EgressRule, IngressRule, PolicyRule } from '../model/policy.ts';
import type { PortRule } from '../model/policy-ports.ts';
import { type LabelSelector, plainKey } from '../model/selector.ts';

/** A NetworkPolicy as a rule of Cilium, since the agent's folder takes only those. Semantics of networking.k8s.io/v1: a direction that the
 *  policy is about is closed but for its rules; a rule without peers is about everybody, without ports about all of them; the protocol
 *  of a port is TCP when none is named. The namespaces of peers match (the schema refuses others), so they say nothing. */
export function ruleOfNetworkPolicy({ spec }: NetworkPolicyFile): PolicyRule {
  const types = spec.policyTypes ?? ['Ingress', ...((spec.egress ?? []).length > 0 ? ['Egress'] : [])];
  const ingress = (spec.ingress ?? []).flatMap(({ from, ports }): IngressRule[] => {
    const toPorts = portsOf(ports);
    const { selectors, ranges } = split(from);
    if (!selectors && !ranges) return [{ fromEntities: ['all'], ...toPorts }];
    return [...(selectors ? [{ fromEndpoints: selectors, ...toPorts }] : []), ...(ranges ? [{ fromCIDRSet: ranges, ...toPorts }] : [])];
  });
  const egress = (spec.egress ?? []).flatMap(({ to, ports }): EgressRule[] => {
    const toPorts = portsOf(ports);
    const { selectors, ranges } = split(to);
    if (!selectors && !ranges) return [{ toEntities: ['all'], ...toPorts }];
    return [...(selectors ? [{ toEndpoints: selectors, ...toPorts }] : []), ...(ranges ? [{ toCIDRSet: ranges, ...toPorts }] : [])];
  });
  return {
    endpointSelector: ofPods(spec.podSelector),
    // a rule that allows nothing closes the direction
    ...(types.includes('Ingress') && { ingress: ingress.length > 0 ? ingress : [{}] }),
    ...(types.includes('Egress') && { egress: egress.length > 0 ? egress : [{}] }),
  };
}

/** Containers and ranges apart: a rule of Cilium has one of them. Null: there are none. */
function split(peers: readonly NetworkPolicyPeer[] = []) {
  const selectors = peers.filter(({ ipBlock }) => !ipBlock).map(({ podSelector }) => ofPods(podSelector ?? {}));
  const ranges = peers.flatMap(({ ipBlock }) =>
    ipBlock ? [{ cidr: ipBlock.cidr, ...((ipBlock.except ?? []).length > 0 && { except: ipBlock.except }) }] : [],
  );
  return { selectors: selectors.length > 0 ? selectors : null, ranges: ranges.length > 0 ? ranges : null };
}

function portsOf(ports: readonly NetworkPolicyPort[] = []): { toPorts?: PortRule[] } {
  if (ports.length === 0) return {};
  const all = ports.map(({ port, endPort, protocol = 'TCP' }) => ({ port: String(port ?? 0), protocol, ...(endPort && { endPort }) }));
  return { toPorts: [{ ports: all }] };
}

/** Labels of pods have the source k8s. */
function ofPods({ matchLabels, matchExpressions }: LabelSelector): LabelSelector {
  const key = (name: string) => `k8s:${plainKey(name)}`;
  return {
    ...(matchLabels && { matchLabels: Object.fromEntries(Object.entries(matchLabels).map(([name, value]) => [key(name), value])) }),
    ...(matchExpressions && { matchExpressions: matchExpressions.map((one) => ({ ...one, key: key(one.key) })) }),
  };
}
