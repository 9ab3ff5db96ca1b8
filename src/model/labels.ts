import { z } from 'zod';

/** Labels that people give a container: Kubernetes' syntax (labels and selectors), so that every selector can name them, and nothing
 *  that Cilium leaves out of an identity or writes itself. */

/** Keys that nobody may set: they say what a container is. */
const reservedLabels = ['vmid', 'name', 'node', 'pool', 'type', 'network'] as const;

/** Prefix of the keys that registered tags become. */
export const tagPrefix = 'tag/';

/** Every label set is an identity of its own, and identities are few. */
const maxLabels = 16;
const maxIdentityTags = 32;

const nameSyntax = /^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const prefixSyntax = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;
const valueSyntax = /^(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/;

/** How keys begin that Cilium's default filter leaves out of identities (pkg/labelsfilter/filter.go of 1.20: expressions that are matched
 *  from the begin of a key on, to no end), so that a policy which selects by them would select nothing. */
const filteredOut: readonly RegExp[] = [
  /^io\.kubernetes/,
  /^kubernetes\.io/,
  /^statefulset\.kubernetes\.io\/pod-name/,
  /^apps\.kubernetes\.io\/pod-index/,
  /^batch\.kubernetes\.io\/(job-completion-index|controller-uid)/,
  /^.*beta\.kubernetes\.io/,
  /^k8s\.io/,
  /^pod-template-(generation|hash)/,
  /^controller-(revision-hash|uid)/,
  /^annotation/,
  /^etcd_node/,
  /^topology\.kubernetes\.io/,
];

/** Whether no container can have a label of this key because of what Cilium makes of it. */
export function isNoIdentity(key: string): boolean {
  return key.startsWith('io.cilium') || filteredOut.some((one) => one.test(key));
}

/** Why nobody may give a container a label of this key; null when somebody may. */
function labelKeyObjection(key: string): string | null {
  if ((reservedLabels as readonly string[]).includes(key))
    return `is reserved: it says what the container is (${reservedLabels.join(', ')}); choose another key`;
  if (key.startsWith(tagPrefix)) return `is reserved: ${tagPrefix} labels come from Proxmox’s tags (identityTags in settings.yaml)`;
  if (!isQualifiedName(key))
    return 'is not a label key: it must be at most 63 letters, digits, "-", "_" and ".", with a letter or digit at both ends, and may have a DNS name and "/" before it';
  // keys that no configuration file may hold, see config/yaml.ts
  if (key === 'constructor' || key === 'prototype') return 'is not allowed in configuration files; choose another key';
  if (key.startsWith('io.cilium')) return 'is Cilium’s own: it would change what the identity means';
  if (filteredOut.some((one) => one.test(key))) return 'is left out of identities by Cilium: no policy could select by it';
  return null;
}

/** Why this cannot be a label's value; null when it can. */
function labelValueObjection(value: string): string | null {
  if (valueSyntax.test(value)) return null;
  return 'must be at most 63 letters, digits, "-", "_" and ".", with a letter or digit at both ends';
}

function isQualifiedName(key: string): boolean {
  const [first = '', second, ...more] = key.split('/');
  if (second === undefined) return nameSyntax.test(first);
  return more.length === 0 && first.length <= 253 && prefixSyntax.test(first) && nameSyntax.test(second);
}

const labelKey = z.string().superRefine((key, context) => {
  const message = labelKeyObjection(key);
  if (message) context.addIssue({ code: 'custom', message });
});
const labelValue = z.string().superRefine((value, context) => {
  const message = labelValueObjection(value);
  if (message) context.addIssue({ code: 'custom', message });
});

/** `labels` of containers/VMID.yaml */
export const labels = z
  .record(z.string(), labelValue)
  .superRefine((all, context) => {
    const keys = Object.keys(all);
    if (keys.length > maxLabels) context.addIssue({ code: 'custom', message: `holds ${keys.length} labels; ${maxLabels} are allowed` });
    for (const key of keys) {
      const message = labelKeyObjection(key);
      if (message) context.addIssue({ code: 'custom', path: [key], message });
    }
  })
  .meta({ description: 'labels that policies select by, besides those that every container has' });

/** A change of them. */
export const labelChange = z
  .strictObject({
    set: labels.default({}).meta({ description: 'labels to add, or to give another value' }),
    remove: z.array(labelKey).max(maxLabels).default([]).meta({ description: 'keys of labels to remove' }),
  })
  .refine(({ set, remove }) => Object.keys(set).length + remove.length > 0, 'holds no change')
  .refine(({ set, remove }) => !remove.some((key) => Object.hasOwn(set, key)), 'sets and removes the same label');
export type LabelChange = z.output<typeof labelChange>;

/** A tag that can be a label: what Proxmox allows (lower case) and Kubernetes too. */
const identityTag = z
  .string()
  .regex(
    /^[a-z0-9](?:[a-z0-9_.-]{0,61}[a-z0-9])?$/,
    'must be a tag of lower-case letters, digits, "-", "_" and ".", with a letter or digit at both ends, 63 at most',
  );

/** `identityTags` of settings.yaml */
export const identityTags = z
  .array(identityTag)
  .max(maxIdentityTags)
  .refine((list) => new Set(list).size === list.length, 'holds a tag twice')
  .default([])
  .meta({ description: 'tags of Proxmox that become labels (`tag/NAME`) of the containers that have them; other tags say nothing' });
