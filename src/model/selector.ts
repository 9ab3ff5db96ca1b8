import { z } from 'zod';
import { unsupportedIssue } from './fields.ts';
import { isNoIdentity } from './labels.ts';

/** Selectors over the labels of containers, as Kubernetes and Cilium write them. A key may have the source `k8s` or `any` before it
 *  (`k8s:app`), which is the same here: all labels of containers have the source k8s. */

const selectorOperators = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const;

/** The one namespace that all containers are in. */
export const containerNamespace = 'default';
export const namespaceKey = 'io.kubernetes.pod.namespace';

const sourceSyntax = /^[A-Za-z0-9]+$/;
const prefixSyntax = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;
const nameSyntax = /^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const valueSyntax = /^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/;

/** A selector's key without its source. */
export function plainKey(key: string): string {
  return key.slice(key.indexOf(':') + 1);
}

const labelValue = z
  .string()
  .regex(valueSyntax, 'must be at most 63 letters, digits, "-", "_" and ".", with a letter or digit at both ends');

/** Why a key selects nothing that there is; null: it may. */
function keyObjection(key: string): { message: string; unenforced: boolean } | null {
  const source = key.includes(':') ? key.slice(0, key.indexOf(':')) : undefined;
  if (!isKey(plainKey(key)) || (source !== undefined && !sourceSyntax.test(source)))
    return {
      message: 'is not a label key: [SOURCE:][PREFIX/]NAME, a name of at most 63 letters, digits, "-", "_" and "."',
      unenforced: false,
    };
  if (source === 'reserved')
    return { message: 'selects by a reserved label; name the entity instead (fromEntities, toEntities: host, world, …)', unenforced: true };
  if (source !== undefined && source !== 'k8s' && source !== 'any')
    return { message: `selects by labels of the source ${source}, which no container has; leave the source out`, unenforced: true };
  const plain = plainKey(key);
  if (plain !== namespaceKey && isNoIdentity(plain))
    return { message: 'selects by a label that no container has: Cilium leaves such keys out of identities', unenforced: true };
  return null;
}

/** [PREFIX/]NAME, as Kubernetes has it */
function isKey(key: string): boolean {
  const [first = '', second, ...more] = key.split('/');
  if (more.length > 0) return false;
  if (second === undefined) return nameSyntax.test(first);
  return first.length <= 253 && prefixSyntax.test(first) && nameSyntax.test(second);
}

function checkKey(key: string, path: PropertyKey[], context: z.core.$RefinementCtx): void {
  const objection = keyObjection(key);
  if (!objection) return;
  const params = objection.unenforced ? { code: unsupportedIssue } : {};
  context.addIssue({ code: 'custom', path, message: objection.message, params });
}

/** A namespace in a selector is the one there is, or selects nothing. */
function checkNamespace(key: string, values: readonly string[], path: PropertyKey[], context: z.core.$RefinementCtx): void {
  if (plainKey(key) !== namespaceKey || values.every((value) => value === containerNamespace)) return;
  context.addIssue({
    code: 'custom',
    path,
    message: `names another namespace than ${containerNamespace}, which all containers are in`,
    params: { code: unsupportedIssue },
  });
}

const requirement = z
  .strictObject({ key: z.string(), operator: z.enum(selectorOperators), values: z.array(labelValue).max(256).optional() })
  .superRefine(({ key, operator, values = [] }, context) => {
    checkKey(key, ['key'], context);
    checkNamespace(key, values, ['values'], context);
    const wants = operator === 'In' || operator === 'NotIn';
    if (wants && values.length === 0) context.addIssue({ code: 'custom', path: ['values'], message: `must have entries with ${operator}` });
    if (!wants && values.length > 0) context.addIssue({ code: 'custom', path: ['values'], message: `must be left out with ${operator}` });
    if (plainKey(key) === namespaceKey && (operator === 'NotIn' || operator === 'DoesNotExist'))
      context.addIssue({
        code: 'custom',
        path: ['operator'],
        message: `would select nothing: all containers are in the namespace ${containerNamespace}`,
        params: { code: unsupportedIssue },
      });
  });

const matchLabels = z.record(z.string(), labelValue).superRefine((labels, context) => {
  for (const [key, value] of Object.entries(labels)) {
    checkKey(key, [key], context);
    checkNamespace(key, [value], [key], context);
  }
});

export const labelSelector = z
  .strictObject({
    matchLabels: matchLabels.optional().meta({ description: 'labels that all must be there' }),
    matchExpressions: z.array(requirement).max(64).optional().meta({ description: 'conditions that all must hold' }),
  })
  .meta({ id: 'LabelSelector' });

export type LabelSelector = z.output<typeof labelSelector>;
export type SelectorRequirement = z.output<typeof requirement>;
