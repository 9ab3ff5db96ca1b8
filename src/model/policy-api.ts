import { z } from 'zod';
import { errorView } from './api.ts';
import { ifname, networkName, vmid } from './names.ts';
import { textDigest } from './panel-api.ts';
import { policyKinds } from './policy.ts';
import { policyName } from './policy-metadata.ts';

/** Shapes of policies' part of the API. */

const time = z.iso.datetime();

const policyStates = ['in-force', 'not-in-force', 'not-enforced', 'refused'] as const;

/** An interface that a policy selects. `not-enforced`: no enforcer covers its network; `absent`: it is not attached on this node. */
const selected = z
  .object({
    vmid,
    interface: ifname,
    network: networkName,
    state: z.enum(['in-force', 'not-in-force', 'not-enforced', 'absent']),
    endpoint: z.number().int().nullable().meta({ description: 'the agent’s number of it' }),
    revision: z.number().int().nullable().meta({ description: 'of the policies that its eBPF programs enforce' }),
    since: time.nullable().meta({ description: 'when that was first seen' }),
  })
  .meta({ id: 'PolicySubject' });

export const policyView = z
  .object({
    name: z.string(),
    kind: z.enum(policyKinds).nullable(),
    file: z.string(),
    state: z.enum(policyStates).meta({ description: '`not-enforced`: it selects an interface that no enforcer covers' }),
    directions: z.array(z.enum(['ingress', 'egress'])).meta({ description: 'that it has rules of' }),
    containers: z.array(selected),
    problem: errorView.nullable(),
    text: z.string().nullable().meta({ description: 'the file; only for one policy' }),
    digest: z.string().nullable().meta({ description: 'of the text: give it with a change' }),
  })
  .meta({ id: 'Policy' });
export type PolicyView = z.output<typeof policyView>;

export const policyRequest = z.strictObject({ text: z.string().max(256 * 1024) }).meta({ id: 'PolicyRequest' });
/** The same to be written, where it may say which text it replaces. */
export const policyChange = policyRequest.extend({ digest: textDigest }).meta({ id: 'PolicyChange' });
export const policyParams = z.strictObject({ name: policyName });

/** What came of applying or removing a policy. */
export const policyReceipt = z
  .object({
    policy: policyView.nullable().meta({ description: 'null: it is removed' }),
    inForce: z.boolean().meta({ description: 'on this node, for every endpoint' }),
    revision: z.number().int().nullable(),
    endpoints: z.array(selected).meta({ description: 'every endpoint of the agent on this node' }),
    operation: z.string(),
    message: z.string(),
  })
  .meta({ id: 'PolicyReceipt' });
export type PolicyReceipt = z.output<typeof policyReceipt>;

const mapEntry = z.object({
  direction: z.enum(['ingress', 'egress']),
  verdict: z.enum(['allow', 'deny']),
  peer: z.string().meta({ description: 'containers and entities in place of the identity' }),
  identity: z.number().int(),
  protocol: z.string(),
  ports: z.string(),
  packets: z.number().int().nullable(),
  bytes: z.number().int().nullable(),
});

/** What the kernel holds for a container, beside what the policy files say. */
export const containerPolicyView = z
  .object({
    vmid,
    interfaces: z.array(
      z.object({
        name: ifname,
        network: networkName,
        enforcer: z.enum(['cilium', 'none']),
        state: z.enum(['in-force', 'not-in-force', 'not-enforced', 'absent']),
        endpoint: z.number().int().nullable(),
        identity: z.number().int().nullable(),
        labels: z.array(z.string()),
        revision: z.number().int().nullable(),
        enforced: z.object({ ingress: z.boolean(), egress: z.boolean() }).meta({ description: 'what no rule allows is dropped' }),
        policies: z.array(z.object({ name: z.string(), directions: z.array(z.enum(['ingress', 'egress'])) })),
        entries: z.array(mapEntry).nullable().meta({ description: 'null: the kernel’s map could not be read' }),
        differences: z.array(z.string()),
      }),
    ),
  })
  .meta({ id: 'ContainerPolicy' });
export type ContainerPolicyView = z.output<typeof containerPolicyView>;
