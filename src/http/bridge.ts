import { z } from 'zod';
import { type Branch, type BridgeRow, branches, type ParameterSchema } from '../model/bridge.ts';
import { notBuilt } from '../model/fields.ts';
import type { Route } from './route.ts';
import { routes } from './routes.ts';

/** The part of JSON Schema that zod makes and Proxmox's dialect has an equivalent of. */
interface JsonSchema {
  type?: string;
  const?: unknown;
  enum?: unknown[];
  pattern?: string;
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  description?: string;
  anyOf?: JsonSchema[];
  items?: JsonSchema;
  properties?: Record<string, JsonSchema>;
  required?: string[];
}

/** How a parameter reaches the service; see the table `convert` in PVE::CNI::Request. */
interface Send {
  in?: 'path' | 'query' | 'body';
  field?: string;
  as: 'string' | 'integer' | 'number' | 'boolean' | 'list' | 'json';
  words?: string[];
  /** a whole text with its line ends */
  text?: true;
}

/** What the Perl modules serve: model/bridge.ts with the schemas of the routes, in Proxmox's dialect. */
export function bridgeDocument(version: string): object {
  return {
    format: 1,
    version,
    branches: Object.fromEntries(
      Object.entries<Branch>(branches).map(([name, { rows, ...branch }]) => [
        name,
        { ...branch, methods: rows.flatMap((row) => method(row, branch.parameters)) },
      ]),
    ),
  };
}

/** Rows whose route the service does not have (yet). */
export function rowsWithoutRoute(): string[] {
  return Object.values<Branch>(branches).flatMap(({ rows }) => rows.filter((row) => !routeOf(row)).map(({ service }) => service));
}

function routeOf({ service }: BridgeRow): Route | undefined {
  const [wanted, path] = service.split(' ');
  return routes.find((route) => route.method === wanted && route.path === path);
}

function method(row: BridgeRow, above: Branch['parameters']): object[] {
  const route = routeOf(row);
  if (!route) return [];
  const parameters: Record<string, object> = Object.fromEntries(above.map((name) => [name, { standard: `pve-${name}` }]));
  const send: Record<string, Send> = {};
  for (const { field, where, schema, optional } of fields(route)) {
    const name = row.names?.[field] ?? (field in (row.query ?? {}) ? (row.oneOf?.includes(field) ? field : false) : field);
    if (name === false) continue;
    send[name] = { in: where, field, ...conversion(schema, row.schemas?.[name]) };
    if (!(name in parameters)) parameters[name] = parameter(schema, optional, row.schemas?.[name]);
  }
  // what only chooses the route
  for (const name of Object.keys(row.instead ?? {})) {
    parameters[name] = { ...row.schemas?.[name] };
    send[name] = { as: 'boolean' };
  }
  const [verb = '', path = ''] = row.service.split(' ');
  return [
    {
      name: `${row.method}_${row.path}`.toLowerCase().replace(/\W+/g, '_').replace(/_$/, ''),
      path: row.path,
      method: row.method,
      description: `${row.description ?? route.summary}.`,
      permissions: row.check ? { check: row.check } : { user: 'all' },
      parameters,
      returns: returned(route.answer, row),
      service: {
        method: verb.toUpperCase(),
        path: path.replace(/:(\w+)/g, (_, field: string) => `{${row.names?.[field] || field}}`),
        ...(row.query && { query: row.query }),
        ...(row.body && { body: row.body }),
        ...(row.instead && { instead: row.instead }),
        ...(row.rootMay && { rootMay: row.rootMay }),
      },
      send,
      ...(row.task ? { task: row.task } : { seconds: row.seconds ?? (row.method === 'GET' ? 10 : 25) }),
      ...(row.rules && {
        rules: row.rules.filter(({ param }) => param in parameters).map((rule) => ({ ...rule, ...asked(send[rule.param]) })),
      }),
      ...(row.oneOf && { oneOf: row.oneOf }),
      ...(row.filter && { filter: row.filter }),
      ...(row.mask && { mask: row.mask }),
      ...(row.hush && { hush: row.hush }),
    },
  ];
}

const asked = (send: Send | undefined) => (send?.as === 'boolean' ? { boolean: true } : {});

/** Fields of a route's path, query and body, those of an object `interface` among the others. */
function* fields(route: Route): Generator<{ field: string; where: 'path' | 'query' | 'body'; schema: JsonSchema; optional: boolean }> {
  for (const [where, part] of [
    ['path', route.params],
    ['query', route.query],
    ['body', route.body],
  ] as const)
    yield* fieldsOf(part, where, '');
}

function* fieldsOf(part: z.ZodType, where: 'path' | 'query' | 'body', prefix: string): ReturnType<typeof fields> {
  if (!(part instanceof z.ZodObject)) return;
  for (const [key, field] of Object.entries<z.ZodType>(part.shape)) {
    const inner = unwrapped(field);
    if (notBuilt.has(inner)) continue;
    if (inner instanceof z.ZodObject && prefix === '') yield* fieldsOf(inner, where, `${key}.`);
    else yield { field: `${prefix}${key}`, where, schema: jsonSchema(field), optional: field.safeParse(undefined).success };
  }
}

function unwrapped(field: z.ZodType): z.ZodType {
  return field instanceof z.ZodOptional || field instanceof z.ZodDefault ? unwrapped(field.unwrap() as z.ZodType) : field;
}

function jsonSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' }) as JsonSchema;
}

function parameter(schema: JsonSchema, optional: boolean, own: ParameterSchema = {}): object {
  const { pattern, ...rest } = scalar(schema);
  const keepsPattern = pattern !== undefined && (own.type ?? 'string') === 'string';
  return { ...rest, ...(keepsPattern && { pattern }), ...(optional && { optional: 1 }), ...own };
}

/** Lists and structures are text in forms and on command lines. */
function scalar({ type, description, pattern, minimum, maximum, maxLength, ...schema }: JsonSchema): ParameterSchema {
  const words = schema.enum ?? (schema.const === undefined ? undefined : [schema.const]);
  const simple = type === 'integer' || type === 'number' || type === 'boolean' ? type : 'string';
  return {
    type: simple,
    ...(description !== undefined && { description }),
    ...(words && { enum: words.map(String) }),
    ...(pattern !== undefined && simple === 'string' && { pattern: whole(pattern) }),
    ...(minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER && { minimum }),
    ...(maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER && { maximum }),
    ...(maxLength !== undefined && { maxLength }),
  };
}

/** Proxmox puts `^` and `$` around a pattern as text. */
function whole(pattern: string): string {
  const inner = pattern.replace(/^\^/, '').replace(/\$$/, '');
  return inner.includes('|') ? `(?:${inner})` : inner;
}

function conversion(schema: JsonSchema, own: ParameterSchema | undefined): Pick<Send, 'as' | 'words' | 'text'> {
  const choices = schema.anyOf ?? [schema];
  const list = choices.find(({ type }) => type === 'array');
  if (list && ['string', 'number', 'integer', undefined].includes(list.items?.type))
    return { as: 'list', words: choices.flatMap((choice) => (typeof choice.const === 'string' ? [choice.const] : [])) };
  if (choices.some(({ type }) => type === 'object' || type === 'array')) return { as: 'json' };
  if (schema.type === 'boolean' || schema.type === 'integer' || schema.type === 'number') return { as: schema.type };
  const text = schema.type === 'string' && schema.pattern === undefined && own?.pattern === undefined && (schema.maxLength ?? 0) > 4096;
  return { as: 'string', ...(text && { text }) };
}

/** The answer's first level, for `pvesh` and Proxmox's API viewer; what is below passes through as it is. */
function returned(answer: z.ZodType, row: BridgeRow): object {
  const schema = z.toJSONSchema(answer, { io: 'output', unrepresentable: 'any', reused: 'inline' }) as JsonSchema;
  if (schema.type === 'array')
    return {
      type: 'array',
      items: { type: 'object', properties: row.filter ? pick(properties(schema.items), row.filter.fields) : properties(schema.items) },
      ...(row.child && { links: [{ rel: 'child', href: `{${row.child}}` }] }),
    };
  return { type: 'object', properties: properties(schema) };
}

function properties(schema: JsonSchema | undefined): Record<string, object> {
  const required = new Set(schema?.required ?? []);
  return Object.fromEntries(
    Object.entries(schema?.properties ?? {}).map(([name, property]) => {
      const types = (property.anyOf ?? [property]).flatMap(({ type }) => (type && type !== 'null' ? [type] : []));
      const [type = 'string'] = types;
      const { description } = property;
      const optional = !required.has(name) || property.anyOf !== undefined;
      return [name, { type: types.length > 1 ? 'any' : type, ...(description && { description }), ...(optional && { optional: 1 }) }];
    }),
  );
}

const pick = (all: Record<string, object>, names: readonly string[]) =>
  Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name)));
