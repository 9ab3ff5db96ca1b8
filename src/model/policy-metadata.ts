import { z } from 'zod';
import { unsupportedIssue } from './fields.ts';
import { namePatterns } from './name-patterns.ts';
import { containerNamespace } from './selector.ts';

export const policyName = z
  .string()
  .regex(
    namePatterns.policy,
    'must be lower-case letters, digits, "-" and ".", with a letter or digit at both ends of each part (200 at most)',
  );

const texts = z.record(z.string().max(317), z.string().max(65_536)).optional().meta({ description: 'kept, of no effect' });

/** `metadata`. Of a namespaced policy the namespace is the one there is. */
export function policyMetadata(namespaced: boolean) {
  const namespace = z.string().superRefine((value, context) => {
    const message = namespaced
      ? value !== containerNamespace && `must be ${containerNamespace}, which all containers are in, or left out`
      : 'must be left out: a clusterwide policy has none';
    if (message) context.addIssue({ code: 'custom', message, params: { code: unsupportedIssue } });
  });
  return z.strictObject({ name: policyName, namespace: namespace.optional(), labels: texts, annotations: texts });
}
