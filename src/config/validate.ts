import type { z } from 'zod';
import type { ErrorCode } from '../model/error-codes.ts';
import { type ErrorContext, failure, type PveCniError } from '../model/errors.ts';
import { unsupportedIssue } from '../model/fields.ts';
import { describeAt, keysAt, wordsAt } from './allowed.ts';
import { nearest } from './nearest.ts';

/** One thing that is wrong in a file. */
export interface Issue {
  /** interfaces[0].address */
  field: string;
  message: string;
  /** CONFIG_INVALID when absent */
  code?: ErrorCode;
}

/** A parsed value as the schema's output.
 *  @throws ConfigurationError CONFIG_INVALID or UNSUPPORTED: the first finding is the message, all are in `context.issues` */
export function validate<T extends z.ZodType>(schema: T, value: unknown, file: string): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw refusal(
    file,
    result.error.issues.flatMap((issue) => findingsOf(issue, schema, value)),
  );
}

/** The error of a file with at least one issue: the first is the message and gives the code. */
export function refusal(file: string, issues: readonly Issue[], context: ErrorContext = {}): PveCniError {
  const lines = issues.map(({ field, message }) =>
    field === '' ? message : `${field}${/^(is|must|needs) /.test(message) ? '' : ':'} ${message}`,
  );
  const [first] = issues;
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : '';
  return failure(first?.code ?? 'CONFIG_INVALID', `${file}: ${lines[0]}${more}`, {
    ...context,
    path: file,
    field: first?.field ?? '',
    issues: lines,
  });
}

function findingsOf(issue: z.core.$ZodIssue, schema: z.ZodType, value: unknown): Issue[] {
  const field = fieldName(issue.path);
  const finding = (message: string): Issue[] => [{ code: 'CONFIG_INVALID', field, message }];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(key, issue.path, schema));
    case 'custom':
      if (issue.params?.code === unsupportedIssue) return [{ code: 'UNSUPPORTED', field, message: issue.message }];
      return finding(sentence(issue.message));
    case 'invalid_union': {
      const inner = fittingBranch(issue);
      if (inner) return inner.flatMap((one) => findingsOf({ ...one, path: [...issue.path, ...one.path] }, schema, value));
      if (issue.discriminator !== undefined) return finding(mismatch(issue.path, schema, value));
      return finding(hasOwnMessage(issue) ? `${issue.message}, not ${shown(at(value, issue.path))}` : mismatch(issue.path, schema, value));
    }
    case 'invalid_type':
    case 'invalid_value':
      return finding(mismatch(issue.path, schema, value));
    case 'too_big':
    case 'too_small':
      return finding(outOfBounds(issue));
    default:
      return finding(`${sentence(issue.message)}, not ${shown(at(value, issue.path))}`);
  }
}

function unknownKey(key: string, path: readonly PropertyKey[], schema: z.ZodType): Issue {
  const { all, supported } = keysAt(schema, path);
  const meant = nearest(key, all);
  const hint = meant ? `; did you mean ${meant}?` : ';';
  return { code: 'CONFIG_INVALID', field: fieldName([...path, key]), message: `is not a key${hint} Allowed: ${supported.join(', ')}` };
}

function mismatch(path: readonly PropertyKey[], schema: z.ZodType, value: unknown): string {
  const present = at(value, path);
  const wanted = describeAt(schema, path);
  if (present === undefined) return `is missing; it must be ${wanted}`;
  const meant = typeof present === 'string' ? nearest(present, wordsAt(schema, path)) : null;
  return `must be ${wanted}, not ${shown(present)}${meant ? `; did you mean ${meant}?` : ''}`;
}

function outOfBounds(issue: z.core.$ZodIssueTooBig | z.core.$ZodIssueTooSmall): string {
  const unit = issue.origin === 'array' ? ' entries' : issue.origin === 'string' ? ' characters' : '';
  const verb = unit === '' ? 'be' : 'have';
  const edge = issue.inclusive === false ? 'than' : '';
  if (issue.code === 'too_big') return `must ${verb} ${edge ? 'less than' : 'at most'} ${issue.maximum}${unit}`;
  return `must ${verb} ${edge ? 'more than' : 'at least'} ${issue.minimum}${unit}`;
}

/** The issues of the branch that a value was probably meant for: the one whose kind fits, and which fails further in. */
function fittingBranch(issue: z.core.$ZodIssueInvalidUnion): z.core.$ZodIssue[] | undefined {
  return issue.errors.find((branch) => branch.length > 0 && branch.every(({ path, code }) => path.length > 0 || sizes.has(code)));
}

const sizes = new Set<string>(['too_big', 'too_small', 'unrecognized_keys']);

function hasOwnMessage(issue: z.core.$ZodIssue): boolean {
  return issue.message !== 'Invalid input';
}

function sentence(message: string): string {
  return /^(must|is|holds|has) /.test(message) ? message : `is not valid: ${message}`;
}

function fieldName(path: readonly PropertyKey[]): string {
  return path.map((step, index) => (typeof step === 'number' ? `[${step}]` : `${index > 0 ? '.' : ''}${String(step)}`)).join('');
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, step) => (typeof inner === 'object' && inner !== null ? (inner as Record<PropertyKey, unknown>)[step] : undefined),
    value,
  );
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a mapping of keys';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
