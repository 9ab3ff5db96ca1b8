import { z } from 'zod';
import { cidr, unenforced, unsupportedIssue } from './fields.ts';
import { policyMetadata } from './policy-metadata.ts';
import { maxPorts, protocol } from './policy-ports.ts';
import { labelSelector } from './selector.ts';

/** NetworkPolicy of Kubernetes (networking.k8s.io/v1), whole. Empty lists mean here what they mean there. */

const many = 256;

/** Selects namespaces. There is one, with one label: a selector that does not match it selects nothing. */
const namespaceSelector = z
  .strictObject({
    matchLabels: z.record(z.string(), z.string()).optional(),
    matchExpressions: z
      .array(
        z.strictObject({
          key: z.string(),
          operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
          values: z.array(z.string()).max(many).optional(),
        }),
      )
      .max(64)
      .optional(),
  })
  .superRefine(({ matchLabels = {}, matchExpressions = [] }, context) => {
    const label = { key: 'kubernetes.io/metadata.name', value: 'default' };
    const holds = ({ key, operator, values = [] }: (typeof matchExpressions)[number]) => {
      const there = key === label.key;
      return {
        In: there && values.includes(label.value),
        NotIn: !(there && values.includes(label.value)),
        Exists: there,
        DoesNotExist: !there,
      }[operator];
    };
    const matches =
      Object.entries(matchLabels).every(([key, value]) => key === label.key && value === label.value) && matchExpressions.every(holds);
    if (!matches)
      context.addIssue({
        code: 'custom',
        message: `selects no namespace: all containers are in ${label.value}, which has the one label ${label.key}=${label.value}`,
        params: { code: unsupportedIssue },
      });
  });

const peer = z
  .strictObject({
    podSelector: labelSelector.optional().meta({ description: 'containers, by labels' }),
    namespaceSelector: namespaceSelector.optional().meta({ description: 'must match the namespace `default`' }),
    ipBlock: z
      .strictObject({ cidr, except: z.array(cidr).max(many).optional() })
      .optional()
      .meta({ description: 'a range outside with exceptions; never containers' }),
  })
  .superRefine(({ podSelector, namespaceSelector, ipBlock }, context) => {
    if (ipBlock && (podSelector || namespaceSelector))
      context.addIssue({ code: 'custom', path: ['ipBlock'], message: 'must be alone: a peer is a range or containers' });
    if (!ipBlock && !podSelector && !namespaceSelector)
      context.addIssue({ code: 'custom', message: 'must have podSelector, namespaceSelector or ipBlock' });
  });

const port = z
  .strictObject({
    port: z
      .union([z.number().int().min(1).max(65535), unenforced('names of ports come from Kubernetes; give the number')])
      .optional()
      .meta({ description: 'every port when absent' }),
    endPort: z.number().int().min(1).max(65535).optional().meta({ description: 'last port of a range' }),
    protocol: protocol.optional().meta({ description: '`TCP` when absent' }),
  })
  .superRefine(({ port, endPort }, context) => {
    if (endPort === undefined) return;
    if (port === undefined)
      context.addIssue({ code: 'custom', path: ['endPort'], message: 'must have port beside it, the first of the range' });
    else if (endPort < port) context.addIssue({ code: 'custom', path: ['endPort'], message: `must be ${port} at least, the first port` });
  });

const ports = z.array(port).max(maxPorts).optional();
const peers = z.array(peer).max(many).optional();

export const networkPolicyFile = z
  .strictObject({
    apiVersion: z.literal('networking.k8s.io/v1'),
    kind: z.literal('NetworkPolicy'),
    metadata: policyMetadata(true),
    spec: z.strictObject({
      podSelector: labelSelector.meta({ description: 'containers that this is about' }),
      policyTypes: z
        .array(z.enum(['Ingress', 'Egress']))
        .max(2)
        .optional(),
      ingress: z
        .array(z.strictObject({ from: peers, ports }))
        .max(many)
        .optional(),
      egress: z
        .array(z.strictObject({ to: peers, ports }))
        .max(many)
        .optional(),
    }),
  })
  .meta({ id: 'NetworkPolicy' });

export type NetworkPolicyFile = z.output<typeof networkPolicyFile>;
export type NetworkPolicyPeer = z.output<typeof peer>;
export type NetworkPolicyPort = z.output<typeof port>;
