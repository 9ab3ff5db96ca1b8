import type { z } from 'zod';
import { failure } from '../model/errors.ts';
import { unsupportedIssue } from '../model/fields.ts';

type Issue = z.core.$ZodIssue;

/** Parses a part of a request.
 *  @throws ConfigurationError REQUEST_INVALID naming every field that is wrong, UNSUPPORTED for what is not built yet */
export function parsed<T extends z.ZodType>(schema: T, value: unknown, part: 'path' | 'query' | 'body' | 'header'): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.flatMap(leaves);
  const unsupported = issues.find((issue) => issue.code === 'custom' && issue.params?.code === unsupportedIssue);
  const shown = unsupported ? [unsupported] : issues;
  throw failure(
    unsupported ? 'UNSUPPORTED' : 'REQUEST_INVALID',
    `cannot take the ${part} of the request: ${shown.map(sentence).join('; ')}`,
    {
      field: shown[0] ? shown[0].path.join('.') : '',
      issues: shown.map((issue) => ({ field: issue.path.join('.'), message: issue.message })),
    },
  );
}

/** A union says only "invalid input"; what its members say is what helps. */
function leaves(issue: Issue): Issue[] {
  if (issue.code !== 'invalid_union' || issue.message !== 'Invalid input') return [issue];
  return issue.errors.flat().flatMap((inner) => leaves({ ...inner, path: [...issue.path, ...inner.path] }));
}

function sentence(issue: Issue): string {
  return issue.path.length > 0 ? `${issue.path.join('.')}: ${issue.message}` : issue.message;
}
