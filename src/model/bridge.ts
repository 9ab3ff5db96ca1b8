/** What Proxmox's API shows of the service: which path forwards to which route, who may call it, and what becomes a task. The parameters and
 *  answers come from the routes' own schemas (http/bridge.ts); the Perl modules in pve-ui/perl serve the table and know none of its rows. */

/** A permission as Proxmox writes it; `{…}` names a parameter. */
type Perm = readonly ['perm', string, readonly string[]];
export type Check = Perm | readonly ['and' | 'or', ...Perm[]];

/** Proxmox's schema of a parameter, where ours does not say it well. */
export interface ParameterSchema {
  type?: 'string' | 'integer' | 'number' | 'boolean';
  pattern?: string;
  enum?: readonly string[];
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  /** what `pvesh` shows for a pattern */
  typetext?: string;
  description?: string;
  optional?: 1;
}

/** A permission that a call needs only with a certain parameter. */
export interface Rule {
  param: string;
  /** values that need none */
  except?: readonly string[];
  /** pattern of the values that need it */
  only?: string;
  check: Check;
}

export interface BridgeRow {
  /** below the branch */
  path: string;
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** as http/routes.ts has it */
  service: `${'get' | 'post' | 'put' | 'delete'} /${string}`;
  description?: string;
  /** who may call it; everybody who is logged in when absent */
  check?: Check;
  rules?: readonly Rule[];
  /** long work in a process of its own, with a UPID and a log; `id` is the parameter that the task list shows */
  task?: { type: string; id?: 'vmid' };
  /** how long the service may take; 10 for a question, 25 for a change when absent. pveproxy gives up after 30 */
  seconds?: number;
  /** field of the service's request → parameter, where they differ; false: not to be had here */
  names?: Readonly<Record<string, string | false>>;
  schemas?: Readonly<Record<string, ParameterSchema>>;
  /** what is always sent */
  body?: Readonly<Record<string, unknown>>;
  /** a value in braces is a parameter's */
  query?: Readonly<Record<string, string>>;
  /** exactly one of these parameters must be given */
  oneOf?: readonly string[];
  /** a boolean parameter that asks another route */
  instead?: Readonly<Record<string, `/${string}`>>;
  /** field of the body that says whether root himself asks */
  rootMay?: string;
  /** which objects of a list a user sees, and what of them */
  filter?: { check: Check; fields: readonly string[] };
  /** list of objects at whose ends other containers lose their names for users who may not look at them */
  mask?: { list: string; ends: readonly string[]; check: Check };
  /** the permission on a container that its number needs to be named in texts of the answer: `container 102` */
  hush?: Perm;
  /** property of the list's objects that leads on to one of them */
  child?: string;
}

export interface Branch {
  description: string;
  /** parameters of the path above it */
  parameters: readonly ('node' | 'vmid')[];
  rows: readonly BridgeRow[];
}

const perm = (path: string, ...privileges: string[]): Perm => ['perm', path, privileges];

const nodeAudit = perm('/nodes/{node}', 'Sys.Audit');
const nodeModify = perm('/nodes/{node}', 'Sys.Modify');
const containerAudit = perm('/vms/{vmid}', 'VM.Audit');
const containerNetwork = perm('/vms/{vmid}', 'VM.Config.Network');
const clusterAudit = perm('/', 'Sys.Audit');
const clusterModify = perm('/', 'Sys.Modify');
// Proxmox takes no privileges or access control paths of others; below /sdn/zones it takes any name
const networkUse = (name: string) => perm(`/sdn/zones/cni/{${name}}`, 'SDN.Use');
const join: Check = ['and', containerNetwork, networkUse('network')];

// identity and reach beyond the container: not for who may only configure it
const reachRules: readonly Rule[] = [
  { param: 'address', except: ['auto'], check: clusterModify },
  { param: 'ports', check: clusterModify },
  { param: 'labels', check: clusterModify },
  { param: 'onFailure', check: clusterModify },
];

const interfaceNames = {
  'interface.name': 'ifname',
  'interface.network': 'network',
  'interface.address': 'address',
  'interface.defaultRoute': 'defaultRoute',
  'interface.ports': 'ports',
  'interface.bandwidth': 'bandwidth',
} as const;
const interfaceSchemas: Record<string, ParameterSchema> = {
  address: {
    type: 'string',
    pattern: '(?:auto|[0-9A-Fa-f.:]+(?:,[0-9A-Fa-f.:]+){0,7})',
    maxLength: 400,
    typetext: 'auto | <address>[,<address>]',
    description: '`auto`, or the fixed addresses without prefix length, separated by commas',
  },
  onFailure: { description: 'whether the container starts without its networks; of the whole container' },
};

const limit: Record<string, ParameterSchema> = { limit: { type: 'integer', minimum: 1, maximum: 9999 } };
const flowSchemas: Record<string, ParameterSchema> = {
  ...limit,
  before: { type: 'integer', minimum: 0 },
  port: { type: 'integer', minimum: 0, maximum: 65_535 },
  since: { pattern: '[0-9T:.-]{10,32}Z', description: 'not older than this: 2026-01-31T12:00:00Z' },
};
const otherContainer = '[1-9][0-9]{2,8}';
const anAddress = '.*[.:].*';
const digest: Record<string, ParameterSchema> = {
  digest: { type: 'string', maxLength: 64, description: 'refuse when the text has changed since it had this digest', optional: 1 },
};

export const branches = {
  node: {
    description: 'CNI networks on this node',
    parameters: ['node'],
    rows: [
      { path: 'status', method: 'GET', service: 'get /v1/status', check: nodeAudit },
      { path: 'networks', method: 'GET', service: 'get /v1/networks', check: nodeAudit, child: 'name' },
      { path: 'networks/{network}', method: 'GET', service: 'get /v1/networks/:name', check: nodeAudit, names: { name: 'network' } },
      {
        path: 'networks/{network}/check',
        method: 'POST',
        service: 'post /v1/networks/:name/check',
        check: nodeAudit,
        names: { name: 'network' },
      },
      { path: 'interfaces', method: 'GET', service: 'get /v1/interfaces', check: nodeAudit },
      { path: 'topology', method: 'GET', service: 'get /v1/topology', check: nodeAudit },
      { path: 'flows', method: 'GET', service: 'get /v1/flows', check: nodeAudit, schemas: flowSchemas },
      { path: 'operations', method: 'GET', service: 'get /v1/operations', check: nodeAudit, schemas: limit, child: 'id' },
      { path: 'operations/{id}', method: 'GET', service: 'get /v1/operations/:id', check: nodeAudit },
      { path: 'history', method: 'GET', service: 'get /v1/history', check: nodeAudit },
      { path: 'doctor', method: 'GET', service: 'get /v1/doctor', check: nodeAudit, seconds: 25 },
      { path: 'cilium', method: 'GET', service: 'get /v1/cilium/status', check: nodeAudit },
      {
        path: 'gc',
        method: 'GET',
        service: 'post /v1/gc',
        description: 'Find what should not be there, and remove nothing',
        check: nodeAudit,
        names: { dryRun: false },
        body: { dryRun: true },
        seconds: 25,
      },
      {
        path: 'gc',
        method: 'POST',
        service: 'post /v1/gc',
        description: 'Remove what should not be there',
        check: nodeModify,
        names: { dryRun: false },
        body: { dryRun: false },
        task: { type: 'cnigc' },
      },
    ],
  },
  container: {
    description: 'CNI networks of this container',
    parameters: ['node', 'vmid'],
    rows: [
      { path: 'status', method: 'GET', service: 'get /v1/containers/:vmid', check: containerAudit, hush: containerAudit },
      {
        path: 'interfaces',
        method: 'GET',
        service: 'get /v1/containers/:vmid/interfaces',
        description: 'The interfaces of this container that are configured or attached, with their traffic',
        check: containerAudit,
        hush: containerAudit,
      },
      {
        path: 'interfaces/{ifname}',
        method: 'PUT',
        service: 'put /v1/containers/:vmid/interfaces/:ifname',
        check: join,
        rules: reachRules,
        task: { type: 'cniupdate', id: 'vmid' },
        names: { ...interfaceNames, 'interface.name': 'ifname' },
        schemas: interfaceSchemas,
      },
      {
        path: 'attach',
        method: 'POST',
        service: 'post /v1/containers/:vmid/interfaces',
        check: join,
        rules: reachRules,
        task: { type: 'cniattach', id: 'vmid' },
        names: interfaceNames,
        schemas: interfaceSchemas,
      },
      {
        path: 'detach',
        method: 'POST',
        service: 'delete /v1/containers/:vmid/interfaces/:ifname',
        check: containerNetwork,
        task: { type: 'cnidetach', id: 'vmid' },
      },
      {
        path: 'check',
        method: 'POST',
        service: 'post /v1/containers/:vmid/check',
        check: containerAudit,
        rules: [{ param: 'repair', except: ['0'], check: containerNetwork }],
        task: { type: 'cnicheck', id: 'vmid' },
      },
      { path: 'policy', method: 'GET', service: 'get /v1/containers/:vmid/policy', check: containerAudit, hush: containerAudit },
      {
        path: 'explain',
        method: 'GET',
        service: 'get /v1/policies/explain',
        description:
          'Whether policies let this container and somebody else reach each other, and which rule says so; give `from` or `to`: a container, `world`, `host`, or an address, for which you need Sys.Audit',
        check: containerAudit,
        rules: (['from', 'to'] as const).flatMap((param) => [
          { param, only: otherContainer, check: perm(`/vms/{${param}}`, 'VM.Audit') },
          // the answer says which container has it
          { param, only: anAddress, check: nodeAudit },
        ]),
        oneOf: ['from', 'to'],
        query: { from: '{vmid}', to: '{vmid}' },
        schemas: { from: { optional: 1 }, to: { optional: 1 }, port: { type: 'integer', minimum: 0, maximum: 65_535 } },
      },
      {
        path: 'flows',
        method: 'GET',
        service: 'get /v1/flows',
        description: 'Flows from and to this container that are kept, newest first',
        check: containerAudit,
        names: { container: false },
        query: { container: '{vmid}' },
        schemas: flowSchemas,
        mask: { list: 'flows', ends: ['from', 'to'], check: containerAudit },
      },
      {
        path: 'operations',
        method: 'GET',
        service: 'get /v1/operations',
        description: 'What was done with this container, newest first',
        check: containerAudit,
        hush: containerAudit,
        names: { vmid: false },
        query: { vmid: '{vmid}' },
        schemas: limit,
      },
      { path: 'history', method: 'GET', service: 'get /v1/containers/:vmid/history', check: containerAudit },
      {
        path: 'networks',
        method: 'GET',
        service: 'get /v1/networks',
        description: 'The networks that the caller may let this container join',
        check: containerAudit,
        filter: { check: networkUse('name'), fields: ['name', 'type'] },
      },
    ],
  },
  cluster: {
    description: 'CNI networks, policies and services of the cluster',
    parameters: [],
    rows: [
      { path: 'networks', method: 'GET', service: 'get /v1/networks', check: clusterAudit, child: 'name' },
      { path: 'networks/{network}', method: 'GET', service: 'get /v1/networks/:name', check: clusterAudit, names: { name: 'network' } },
      {
        path: 'networks/{network}',
        method: 'PUT',
        service: 'put /v1/networks/:name',
        check: clusterModify,
        names: { name: 'network', allowPlugins: false },
        schemas: digest,
        rootMay: 'allowPlugins',
      },
      {
        path: 'networks/{network}',
        method: 'DELETE',
        service: 'delete /v1/networks/:name',
        check: clusterModify,
        names: { name: 'network' },
      },
      { path: 'policies', method: 'GET', service: 'get /v1/policies', check: clusterAudit, child: 'name' },
      { path: 'policies', method: 'POST', service: 'post /v1/policies', check: clusterModify },
      { path: 'policies/{name}', method: 'GET', service: 'get /v1/policies/:name', check: clusterAudit },
      { path: 'policies/{name}', method: 'DELETE', service: 'delete /v1/policies/:name', check: clusterModify },
      { path: 'policies-check', method: 'POST', service: 'post /v1/policies/check', check: clusterAudit },
      { path: 'policies-diff', method: 'POST', service: 'post /v1/policies/diff', check: clusterAudit },
      { path: 'services', method: 'GET', service: 'get /v1/services', check: clusterAudit, child: 'name' },
      { path: 'services/{name}', method: 'GET', service: 'get /v1/services/:name', check: clusterAudit },
      { path: 'services/{name}', method: 'PUT', service: 'put /v1/services/:name', check: clusterModify, schemas: digest },
      { path: 'services/{name}', method: 'DELETE', service: 'delete /v1/services/:name', check: clusterModify },
      {
        path: 'addresses',
        method: 'GET',
        service: 'get /v1/addresses',
        check: clusterAudit,
        schemas: { use: { type: 'boolean', description: 'how many of each range are used, instead of the addresses', optional: 1 } },
        instead: { use: '/v1/addresses/use' },
      },
      { path: 'settings', method: 'GET', service: 'get /v1/settings', check: clusterAudit },
      { path: 'settings', method: 'PUT', service: 'put /v1/settings', check: clusterModify, schemas: digest },
    ],
  },
} as const satisfies Record<string, Branch>;
