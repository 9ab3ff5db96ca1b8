import { z } from 'zod';
import { cniVersions } from '../model/cni.ts';
import { containerFile } from '../model/container.ts';
import { notBuilt } from '../model/fields.ts';
import { bridgeNetworkFile, ciliumNetworkFile } from '../model/network.ts';
import { ciliumPolicyFile } from '../model/policy.ts';
import { serviceFile } from '../model/service.ts';
import { nodeFile, settingsFile } from '../model/settings.ts';
import { fileLimitBytes } from './limits.ts';

/** Kinds of files, in the order people meet them. */
const kinds: { title: string; text: string; schema: z.ZodType; example: string; leaveOut?: string }[] = [
  {
    title: 'networks/NAME.yaml',
    text: 'A Linux bridge of ours that containers join. The name of the network is the name of the file.',
    schema: bridgeNetworkFile,
    example:
      'type: bridge\nsubnets:\n  - { cidr: 10.20.0.0/24, gateway: 10.20.0.1, range: 10.20.0.10-10.20.0.250 }\n  - { cidr: "fd00:20::/64" }\nnat: true',
  },
  {
    title: 'networks/NAME.yaml of type cilium',
    text: 'A network that Cilium’s agent carries: its own interfaces, or bridged ones that it is chained onto. A container has one endpoint at most.',
    schema: ciliumNetworkFile,
    example: 'type: cilium\nsubnets: [{ cidr: 10.240.0.0/16 }]\nnat: true',
  },
  {
    title: 'containers/VMID.yaml',
    text: 'What a container joins. The file is named after the number of the container, 100 to 999999999.',
    schema: containerFile,
    example:
      'interfaces:\n  - { name: eth0, network: web, defaultRoute: true }\n  - { name: eth1, network: lab, address: [10.30.0.50] }\nlabels: { app: web, tier: front }\nonFailure: refuse',
  },
  {
    title: 'policies/NAME.yaml',
    text: 'Who may reach whom: a `CiliumNetworkPolicy` (below), a `CiliumClusterwideNetworkPolicy` (the same without a namespace) or a\n`NetworkPolicy` of Kubernetes. See docs/policies.md. A field that Cilium knows and that would not be enforced is refused with the reason.',
    schema: ciliumPolicyFile,
    // each as `spec`
    leaveOut: 'specs[].',
    example:
      'apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: { name: default-deny }\nspec:\n  endpointSelector: { matchLabels: { type: container } }\n  ingress:\n    - fromEndpoints: [{ matchLabels: { type: container } }]',
  },
  {
    title: 'services/NAME.yaml',
    text: 'A virtual address on Cilium, or a port of the nodes, with containers behind it. The name of the service is the name of the file. See docs/services.md.',
    schema: serviceFile,
    example:
      'address: 10.96.0.10\nnodePort: 30080\nports: [{ port: 80, target: 8080, protocol: tcp }]\nbackends: { matchLabels: { app: web } }\naffinity: none\nhealth: { http: /healthz, intervalSeconds: 5 }',
  },
  {
    title: 'settings.yaml',
    text: 'Settings of the whole cluster. The file may be absent.',
    schema: settingsFile,
    example: 'releaseAfterHours: 24\nidentityTags: [web, db]',
  },
  {
    title: '/etc/pve-cni/pve-cnid.yaml',
    text: 'Settings of one node, read once, when the service starts.',
    schema: nodeFile,
    example: 'root: /etc/pve/cni\nmetrics: { listen: "127.0.0.1:9786" }',
  },
];

/** docs/configuration.md: every key that may be written, from the schemas that check it. */
export function renderConfigurationReference(): string {
  const sections = kinds.map(({ title, text, schema, example, leaveOut }) =>
    [
      `## ${title}`,
      text,
      `\`\`\`yaml\n${example}\n\`\`\``,
      table(rowsOf(schema).filter(({ key }) => !leaveOut || !key.replaceAll('*', '').startsWith(leaveOut))),
    ].join('\n\n'),
  );
  return `${[introduction, ...sections.slice(0, 2), cniFiles, ...sections.slice(2)].join('\n\n')}\n`;
}

const introduction = `# Configuration

<!-- made by npm run gen from src/model and src/config/reference.ts -->

One object per file, below the root that \`/etc/pve-cni/pve-cnid.yaml\` names. Changes are seen without a restart. A file
with a mistake is shown by \`pve-cni config check\` and leaves its last good version serving.

YAML 1.2, one document, at most ${fileLimitBytes / 1024} KiB, nested at most 32 deep. Unknown keys, keys given twice, anchors, aliases, merge
keys and tags are errors. Keys that a later version brings are refused as \`UNSUPPORTED\`, never ignored. Dot files and what
editors leave (\`*~\`, \`#*#\`) are not looked at; symbolic links are refused.`;

const cniFiles = `## networks/*.conflist and networks/*.conf

Plain CNI configuration in JSON: a list (\`plugins\`) or a single plugin, cniVersion ${cniVersions.join(', ')}. The name of the
network is its \`name\`; the plugins' own keys pass through unchanged. One whose first plugin is \`cilium-cni\` is a network of
type \`cilium\`, any other one of type \`cni\`.`;

export interface Row {
  key: string;
  type: string;
  fallback: string;
  description: string;
}

/** The part of JSON Schema that our schemas come out as. */
interface Json {
  $ref?: string;
  $defs?: Record<string, Json>;
  type?: string;
  properties?: Record<string, Json>;
  required?: string[];
  items?: Json;
  anyOf?: Json[];
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  description?: string;
  later?: boolean;
}

/** Every key that may be written below a schema, dotted. */
export function rowsOf(schema: z.ZodType): Row[] {
  const json = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      if (notBuilt.has(zodSchema as unknown as z.ZodType)) jsonSchema.later = true;
    },
  }) as Json;
  const resolve = ({ $ref, ...rest }: Json): Json =>
    $ref ? { ...resolve(json.$defs?.[$ref.split('/').at(-1) ?? ''] ?? {}), ...rest } : rest;
  return keysOf(resolve(json), '', resolve);
}

function keysOf(object: Json, prefix: string, resolve: (json: Json) => Json): Row[] {
  return Object.entries(object.properties ?? {}).flatMap(([name, property]) => {
    const value = resolve(property);
    if (value.later) return [];
    const key = `${prefix}${name}`;
    const items = value.items && resolve(value.items);
    return [
      {
        key: object.required?.includes(name) ? `**${key}**` : key,
        type: typeOf(value, resolve),
        fallback: value.default === undefined || typeof value.default === 'object' ? '' : `\`${JSON.stringify(value.default)}\``,
        description: value.description ?? '',
      },
      ...keysOf(value, `${key}.`, resolve),
      ...(items ? keysOf(items, `${key}[].`, resolve) : []),
    ];
  });
}

function typeOf(json: Json, resolve: (json: Json) => Json): string {
  if (json.anyOf) {
    const choices = json.anyOf.map(resolve).filter(({ later }) => !later);
    return [...new Set(choices.map((one) => typeOf(one, resolve)))].join(' or ');
  }
  if (json.const !== undefined) return `\`${json.const}\``;
  if (json.enum) return json.enum.map((value) => `\`${value}\``).join(', ');
  if (json.type === 'array') return `list of ${json.items ? typeOf(resolve(json.items), resolve) : 'values'}`;
  if (json.type === 'object') return 'mapping';
  const limits = json.minimum !== undefined && json.maximum !== undefined && json.maximum < Number.MAX_SAFE_INTEGER;
  const word = { string: 'text', integer: 'whole number', number: 'number', boolean: '`true`, `false`' }[json.type ?? ''] ?? 'value';
  return limits ? `${word}, ${json.minimum} to ${json.maximum}` : word;
}

function table(rows: readonly Row[]): string {
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
  const lines = rows.map(({ key, type, fallback, description }) => `| ${[key, type, fallback, description].map(cell).join(' | ')} |`);
  return ['| key (bold: must be there) | type | default | meaning |', '|---|---|---|---|', ...lines].join('\n');
}
