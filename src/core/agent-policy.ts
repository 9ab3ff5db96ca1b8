import type { CiliumPolicyFile, EgressRule, IngressRule, Policy, PolicyFile, PolicyRule } from '../model/policy.ts';
import { containerNamespace } from '../model/selector.ts';
import { ruleOfNetworkPolicy } from './network-policy.ts';
import { withoutNamespace } from './selectors.ts';

/** Policies as the agent gets them. */

/** What people wrote, as rules of Cilium. */
export function policyOf(file: string, object: PolicyFile): Policy {
  return { name: object.metadata.name, file, kind: object.kind, object, rules: rulesOf(object) };
}

function rulesOf(object: PolicyFile): PolicyRule[] {
  if (object.kind === 'NetworkPolicy') return [normal(ruleOfNetworkPolicy(object))];
  const { spec, specs = [] }: CiliumPolicyFile = object;
  return [...(spec ? [spec] : []), ...specs].map(normal);
}

/** An object of the agent's folder: CiliumNetworkPolicy with a namespace, or clusterwide without. */
export interface AgentPolicy {
  apiVersion: 'cilium.io/v2';
  kind: 'CiliumNetworkPolicy' | 'CiliumClusterwideNetworkPolicy';
  metadata: { name: string; namespace?: string };
  specs: PolicyRule[];
}

export function agentPolicy({ name, kind, rules }: Pick<Policy, 'name' | 'kind' | 'rules'>): AgentPolicy {
  const clusterwide = kind === 'CiliumClusterwideNetworkPolicy';
  return {
    apiVersion: 'cilium.io/v2',
    kind: clusterwide ? kind : 'CiliumNetworkPolicy',
    metadata: { name, ...(!clusterwide && { namespace: containerNamespace }) },
    // the agent replaces the labels of rules by its own, and ends itself over a description with control characters, which it never shows
    specs: rules.map(({ labels: _labels, description: _description, ...rule }) => rule),
  };
}

/** A policy that selects nobody. A file of the agent's folder becomes this before it is removed: see cilium/policy-folder.ts. */
export function emptyPolicy(name: string): AgentPolicy {
  const endpointSelector = { matchLabels: { 'pve-cni/nobody': name.slice(0, 63).replace(/[^a-z0-9]+$/, '') } };
  return agentPolicy({ name, kind: 'CiliumNetworkPolicy', rules: [{ endpointSelector, ingress: [{}] }] });
}

function normal(rule: PolicyRule): PolicyRule {
  const { ingress, ingressDeny, egress, egressDeny } = rule;
  return {
    ...rule,
    endpointSelector: withoutNamespace(rule.endpointSelector),
    ...(ingress && { ingress: ingress.map(fromNormal) }),
    ...(ingressDeny && { ingressDeny: ingressDeny.map(fromNormal) }),
    ...(egress && { egress: egress.map(toNormal) }),
    ...(egressDeny && { egressDeny: egressDeny.map(toNormal) }),
  };
}

function fromNormal<T extends Pick<IngressRule, 'fromEndpoints'>>(rule: T): T {
  return rule.fromEndpoints ? { ...rule, fromEndpoints: rule.fromEndpoints.map(withoutNamespace) } : rule;
}

function toNormal<T extends Pick<EgressRule, 'toEndpoints'>>(rule: T): T {
  return rule.toEndpoints ? { ...rule, toEndpoints: rule.toEndpoints.map(withoutNamespace) } : rule;
}
