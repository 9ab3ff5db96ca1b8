import type { z } from 'zod';
import { notBuilt } from '../model/fields.ts';

/** What a schema allows, in words. The part of zod's definitions that our files use. */
interface Definition {
  type: string;
  innerType?: Schema;
  in?: Schema;
  element?: Schema;
  options?: Schema[];
  shape?: Record<string, Schema>;
  valueType?: Schema;
  values?: unknown[];
  entries?: Record<string, string>;
}
type Schema = z.core.$ZodType;

const definition = (schema: Schema) => schema._zod.def as unknown as Definition;

function unwrap(schema: Schema): Schema {
  const { innerType, in: input } = definition(schema);
  const inner = innerType ?? input;
  return inner ? unwrap(inner) : schema;
}

/** The schemas that a value at this path may have: several below a union, none for an unknown key. */
function schemasAt(schema: Schema, path: readonly PropertyKey[]): Schema[] {
  const bare = unwrap(schema);
  const { options, shape, element, valueType } = definition(bare);
  if (options) return options.flatMap((option) => schemasAt(option, path));
  const [step, ...rest] = path;
  if (step === undefined) return [bare];
  const inner = typeof step === 'number' ? element : (shape?.[String(step)] ?? valueType);
  return inner ? schemasAt(inner, rest) : [];
}

/** Keys of the mapping at this path. `supported` leaves out those whose effect is not built yet. */
export function keysAt(schema: Schema, path: readonly PropertyKey[]): { all: string[]; supported: string[] } {
  const shapes = schemasAt(schema, path).map((one) => Object.entries(definition(one).shape ?? {}));
  const [entries = []] = shapes;
  return {
    all: entries.map(([key]) => key),
    supported: entries.filter(([, inner]) => !notBuilt.has(unwrap(inner))).map(([key]) => key),
  };
}

/** Words that are allowed at this path, when it takes words. */
export function wordsAt(schema: Schema, path: readonly PropertyKey[]): string[] {
  return supportedAt(schema, path).flatMap((one) => wordsOf(one).map(String));
}

/** "true or false", `one of "refuse", "start"`, … */
export function describeAt(schema: Schema, path: readonly PropertyKey[]): string {
  const candidates = supportedAt(schema, path);
  const words = [...new Set(candidates.flatMap((one) => wordsOf(one).map((word) => JSON.stringify(word))))];
  const kinds = candidates.filter((one) => wordsOf(one).length === 0).map((one) => kindNames[definition(one).type] ?? 'another value');
  return [...(words.length > 1 ? [`one of ${words.join(', ')}`] : words), ...new Set(kinds)].join(' or ');
}

const kindNames: Record<string, string> = {
  string: 'a text',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping of keys',
  record: 'a mapping of keys',
};

function supportedAt(schema: Schema, path: readonly PropertyKey[]): Schema[] {
  return schemasAt(schema, path).filter((one) => !notBuilt.has(one));
}

function wordsOf(schema: Schema): unknown[] {
  const { values, entries } = definition(schema);
  return values ?? Object.values(entries ?? {});
}
