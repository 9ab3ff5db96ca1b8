import { z } from 'zod';
import { type BridgeRow, branches } from '../src/model/bridge.ts';
import { containerInterface, onFailure } from '../src/model/container.ts';
import { notBuilt } from '../src/model/fields.ts';

/** The panel's forms, from the schemas that the service checks requests with: which fields there are, what a value must look like and
 *  which error says so, what is chosen from, what is the default. Labels and order are the panel's. */

interface Label {
  label: string;
  /** how the field is shown, where its schema leaves that open */
  kind?: string;
  /** in the part that is unfolded */
  advanced?: boolean;
  /** what of an enum is called what */
  values?: Record<string, string>;
}

interface Form {
  /** what a request of the form goes to in Proxmox's API: parameters' names, and privileges that only some of them need */
  row: BridgeRow;
  /** where the shape stands in the request's body */
  within: string;
  shape: z.ZodRawShape;
  labels: Record<string, Label>;
}

const attach = branches.container.rows.find(({ path }) => path === 'attach') as BridgeRow;

const forms: Record<string, Form> = {
  interface: {
    row: attach,
    within: 'interface',
    shape: { ...containerInterface.shape, onFailure: onFailure.optional() },
    labels: {
      name: { label: 'Name' },
      network: { label: 'Network', kind: 'network' },
      address: { label: 'IP Address' },
      defaultRoute: { label: 'Default Route' },
      onFailure: {
        label: 'On Failure',
        advanced: true,
        values: { refuse: 'do not start', start: 'start all the same' },
      },
    },
  },
};

interface Field {
  name: string;
  kind: string;
  required: boolean;
  description?: string | undefined;
  patterns?: string[];
  message?: string;
  maxItems?: number;
  values?: [string, string][];
  defaultValue?: unknown;
  advanced?: boolean;
  privilege?: string;
}

export function renderForms(): string {
  const text = Object.entries(forms).map(([name, { row, within, shape, labels }]) => {
    const fields = Object.entries(shape).filter(([, schema]) => !notBuilt.has(innermost(schema)));
    const unnamed = fields.filter(([key]) => !labels[key]).map(([key]) => key);
    if (unnamed.length > 0) throw new Error(`the form ${name} has no label for ${unnamed.join(', ')}`);
    return `        ${name}: [\n${fields.map(([key, schema]) => renderField({ ...derive(schema as z.ZodType), ...ofBridge(row, within, key) }, labels[key] as Label)).join('')}        ],\n`;
  });
  return `/* Made by npm run gen (scripts/render-forms.ts) from the schemas of the service. */
Ext.define('PVECNI.Forms', {
    singleton: true,

    forms: {
${text.join('')}    },
});
`;
}

/** A privilege on / is one that the browser knows of; others are for the server to refuse. */
function ofBridge({ names, rules = [] }: BridgeRow, within: string, key: string): { name: string; privilege?: string } {
  const name = names?.[`${within}.${key}`] || key;
  const [, path, privileges] = rules.find(({ param }) => param === name)?.check ?? [];
  return { name, ...(path === '/' && { privilege: String(privileges?.[0]) }) };
}

function renderField(derived: Field, { label, values, kind, ...rest }: Label): string {
  const field: Field = { ...derived, ...(kind && { kind }), ...rest };
  if (field.values) field.values = field.values.map(([value]) => [value, values?.[value] ?? value]);
  const parts = Object.entries(field).filter(([, value]) => value !== undefined && value !== false);
  const lines = parts.map(([key, value]) => `                ${key}: ${literal(key, value)},\n`);
  return `            {\n                label: gettext(${quote(label)}),\n${lines.join('')}            },\n`;
}

/** What people read goes through gettext; what is compared does not. */
function literal(key: string, value: unknown): string {
  if (key === 'description' || key === 'message') return `gettext(${quote(String(value))})`;
  if (key === 'values') {
    const list = value as [string, string][];
    return `[${list.map(([one, text]) => `[${quote(one)}, gettext(${quote(text)})]`).join(', ')}]`;
  }
  return JSON.stringify(value);
}

const quote = (text: string) => `'${text.replace(/[\\']/g, '\\$&')}'`;

interface JsonSchema {
  type?: string;
  const?: unknown;
  enum?: string[];
  pattern?: string;
  anyOf?: JsonSchema[];
  items?: JsonSchema;
  maxItems?: number;
  minimum?: number;
  maximum?: number;
  default?: unknown;
  description?: string;
}

function derive(schema: z.ZodType): Omit<Field, 'name'> {
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
  const list = json.anyOf?.find(({ type }) => type === 'array') ?? (json.type === 'array' ? json : undefined);
  const patterns = list ? (list.items?.anyOf ?? [list.items ?? {}]).flatMap(({ pattern }) => pattern ?? []) : [json.pattern ?? []].flat();
  const message = patterns.length > 0 ? errorOf(schema, list ? ['!'] : '!') : undefined;
  return {
    kind: list ? 'list' : json.enum ? 'choice' : json.type === 'boolean' ? 'boolean' : 'text',
    required: !schema.safeParse(undefined).success,
    description: json.description ?? schema.description,
    ...(patterns.length > 0 && { patterns }),
    ...(message && { message }),
    ...(list?.maxItems && { maxItems: list.maxItems }),
    ...(json.enum && { values: json.enum.map((value): [string, string] => [value, value]) }),
    ...(json.default !== undefined && { defaultValue: json.default }),
  };
}

/** The words that the service would refuse this with. */
function errorOf(schema: z.ZodType, bad: unknown): string | undefined {
  let issues: readonly z.core.$ZodIssue[] = schema.safeParse(bad).error?.issues ?? [];
  for (;;) {
    const [issue] = issues;
    if (issue?.code !== 'invalid_union') return issue?.message;
    // of the alternatives the one that got deepest into the value meant it
    if (issue.message !== 'Invalid input') return issue.message;
    issues = [...issue.errors].sort((a, b) => (b[0]?.path.length ?? 0) - (a[0]?.path.length ?? 0))[0] ?? [];
  }
}

function innermost(schema: unknown): z.ZodType {
  let inner = schema as z.ZodType & { _zod: { def: { innerType?: z.ZodType } } };
  while (inner._zod.def.innerType) inner = inner._zod.def.innerType as typeof inner;
  return inner;
}
