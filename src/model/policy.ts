import { z } from 'zod';
import { unenforced } from './fields.ts';
import { networkPolicyFile } from './network-policy.ts';
import { policyMetadata } from './policy-metadata.ts';
import { fromPeers, toPeers } from './policy-peers.ts';
import { dnsName, icmpRule, portDenyRule, portRule } from './policy-ports.ts';
import { labelSelector } from './selector.ts';

/** policies/NAME.yaml: what Cilium 1.20 has in CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy (pkg/policy/api), as far as its agent
 *  enforces it without Kubernetes and without Envoy. What it would not is refused by name. */

/** Keys of whom a rule speaks: at most one of them in a rule. */
const peerKeys = {
  ingress: ['fromEndpoints', 'fromCIDR', 'fromCIDRSet', 'fromEntities'],
  egress: ['toEndpoints', 'toCIDR', 'toCIDRSet', 'toEntities', 'toFQDNs'],
} as const;

const authentication = z.strictObject({
  mode: z.union([
    z.literal('disabled'),
    unenforced('mutual authentication needs SPIRE in Kubernetes', ['required']),
    unenforced('it is for Cilium’s own tests', ['test-always-fail']),
  ]),
});
const icmps = z.array(icmpRule).min(1).max(64).optional().meta({ description: 'kinds of ICMP; not together with toPorts' });
const toPorts = z.array(portRule).min(1).max(64).optional().meta({ description: 'ports; all when absent' });
const toDenyPorts = z.array(portDenyRule).min(1).max(64).optional().meta({ description: 'ports; all when absent' });
const many = 256;

const ingressRule = z
  .strictObject({ ...fromPeers, toPorts, icmps, authentication: authentication.optional() })
  .superRefine((rule, context) => {
    checkMembers(rule, peerKeys.ingress, context);
    for (const [index, { rules }] of (rule.toPorts ?? []).entries())
      if (rules?.dns)
        context.addIssue({
          code: 'custom',
          path: ['toPorts', index, 'rules', 'dns'],
          message: 'must be left out: DNS rules are for egress',
        });
  });
const ingressDenyRule = z
  .strictObject({ ...fromPeers, toPorts: toDenyPorts, icmps })
  .superRefine((rule, context) => checkDeny(rule, peerKeys.ingress, context));
const egressRule = z
  .strictObject({
    ...toPeers,
    toFQDNs: z.array(dnsName).min(1).max(many).optional().meta({ description: 'addresses of DNS names; needs `cilium.dnsPolicies`' }),
    toPorts,
    icmps,
    authentication: authentication.optional(),
  })
  .superRefine((rule, context) => checkMembers(rule, peerKeys.egress, context));
const egressDenyRule = z
  .strictObject({ ...toPeers, toPorts: toDenyPorts, icmps })
  .superRefine((rule, context) => checkDeny(rule, peerKeys.egress, context));

function checkMembers(rule: object, keys: readonly string[], context: z.core.$RefinementCtx): void {
  const given = (key: string) => (rule as Record<string, unknown>)[key] !== undefined;
  const [first, second] = keys.filter(given);
  if (second)
    context.addIssue({
      code: 'custom',
      path: [second],
      message: `must be in a rule of its own: this one has ${first}, and Cilium takes one kind a rule`,
    });
  if (given('toPorts') && given('icmps'))
    context.addIssue({ code: 'custom', path: ['icmps'], message: 'must be in a rule of its own: this one has toPorts' });
}

function checkDeny(rule: object, keys: readonly string[], context: z.core.$RefinementCtx): void {
  checkMembers(rule, keys, context);
  if (Object.values(rule).some((value) => value !== undefined)) return;
  const all = keys[0] === 'fromEndpoints' ? 'fromEntities' : 'toEntities';
  context.addIssue({ code: 'custom', message: `must say what it denies; an empty rule denies nothing. To deny all write ${all}: [all]` });
}

const emptyList = (key: string) => `must have a rule; an empty list has no effect. To allow nothing write ${key}: [{}]`;
const rules = <T extends z.ZodType>(schema: T, key: string) =>
  z
    .array(schema)
    .max(many)
    .refine((list) => list.length > 0, emptyList(key))
    .optional();

/** A label of a rule: `{key, value, source}`, or a text as Cilium prints it. Kept, shown, of no effect. */
const ruleLabel = z.union([
  z.string().max(512),
  z.strictObject({ key: z.string().max(317), value: z.string().max(63).optional(), source: z.string().max(63).optional() }),
]);

const policyRule = z
  .strictObject({
    description: z.string().max(1024).optional().meta({ description: 'free text' }),
    labels: z.array(ruleLabel).max(64).optional().meta({ description: 'of the rule itself; shown only' }),
    log: z
      .strictObject({
        value: z
          .string()
          .max(32)
          .regex(/^(?:(?![\u2028\u2029])\P{C})*$/u, 'must be printable')
          .optional(),
      })
      .optional()
      .meta({ description: 'text that flows which match carry' }),
    endpointSelector: labelSelector.meta({ description: 'containers that this is about' }),
    nodeSelector: unenforced('rules for the node itself are Proxmox’s firewall’s').optional(),
    ingress: rules(ingressRule, 'ingress').meta({ description: 'what is let in; what no rule lets in is dropped' }),
    ingressDeny: rules(ingressDenyRule, 'ingress').meta({ description: 'what is not let in whatever else says so' }),
    egress: rules(egressRule, 'egress').meta({ description: 'what is let out; what no rule lets out is dropped' }),
    egressDeny: rules(egressDenyRule, 'egress').meta({ description: 'what is not let out whatever else says so' }),
    enableDefaultDeny: z
      .strictObject({ ingress: z.boolean().optional(), egress: z.boolean().optional() })
      .optional()
      .meta({ description: 'false: what no rule speaks of is not dropped because of this policy' }),
  })
  .refine(({ ingress, ingressDeny, egress, egressDeny }) => Boolean(ingress ?? ingressDeny ?? egress ?? egressDeny), {
    message: 'must have ingress, ingressDeny, egress or egressDeny',
  })
  .meta({ id: 'PolicyRule' });

const specs = { spec: policyRule.optional(), specs: z.array(policyRule).min(1).max(64).optional() };
const oneSpec = ({ spec, specs }: { spec?: unknown; specs?: unknown }) => spec !== undefined || specs !== undefined;

export const ciliumPolicyFile = z
  .strictObject({ apiVersion: z.literal('cilium.io/v2'), kind: z.literal('CiliumNetworkPolicy'), metadata: policyMetadata(true), ...specs })
  .refine(oneSpec, 'must have spec')
  .meta({ id: 'CiliumNetworkPolicy' });
export const ciliumClusterwidePolicyFile = z
  .strictObject({
    apiVersion: z.literal('cilium.io/v2'),
    kind: z.literal('CiliumClusterwideNetworkPolicy'),
    metadata: policyMetadata(false),
    ...specs,
  })
  .refine(oneSpec, 'must have spec')
  .meta({ id: 'CiliumClusterwideNetworkPolicy' });

/** Kinds of policies. Others that people try are refused by name. */
export const policyKinds = ['CiliumNetworkPolicy', 'CiliumClusterwideNetworkPolicy', 'NetworkPolicy'] as const;
export type PolicyKind = (typeof policyKinds)[number];

export const policyFile = z.discriminatedUnion('kind', [ciliumPolicyFile, ciliumClusterwidePolicyFile, networkPolicyFile]);

export type PolicyFile = z.output<typeof policyFile>;
export type CiliumPolicyFile = z.output<typeof ciliumPolicyFile> | z.output<typeof ciliumClusterwidePolicyFile>;
export type PolicyRule = z.output<typeof policyRule>;
export type IngressRule = z.output<typeof ingressRule>;
export type EgressRule = z.output<typeof egressRule>;

/** A policy as everything behind `config/` sees it. */
export interface Policy {
  name: string;
  /** below the root: policies/web.yaml */
  file: string;
  kind: PolicyKind;
  /** what people wrote */
  object: PolicyFile;
  /** the same as rules of Cilium: what enforcers work from */
  rules: PolicyRule[];
}
