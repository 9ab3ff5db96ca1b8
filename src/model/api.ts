import { z } from 'zod';
import { containerInterface, onFailure } from './container.ts';
import { errorClasses, errorCodes } from './error-codes.ts';
import { flowStatus } from './flow-api.ts';
import { hookPhases } from './hook.ts';
import { ifname, networkName, serviceName, vmid } from './names.ts';
import { networkTypes } from './network.ts';
import { operationKinds, operationOutcomes } from './operation.ts';
import { affinities, serviceProtocols } from './service.ts';

/** Shapes that the socket speaks: the one source of the OpenAPI document, of the command and of the panel.
 *  Times are ISO-8601 in UTC here, epoch ms inside. */

const time = z.iso.datetime();

/** RFC 9457, with our code and context. */
export const problem = z
  .object({
    type: z.string().meta({ description: 'https://…/docs/errors.md#code' }),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    code: z.enum(Object.keys(errorCodes) as [keyof typeof errorCodes]),
    class: z.enum(errorClasses),
    retryable: z.boolean(),
    cure: z.string(),
    operation: z.string().optional(),
    context: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Problem' });
export type Problem = z.output<typeof problem>;

export const errorView = z
  .object({ class: z.string(), code: z.string(), message: z.string(), retryable: z.boolean(), context: z.record(z.string(), z.unknown()) })
  .meta({ id: 'Error' });

/** `attached`: as it should be; `waiting`: gated until it has an address and its policy is in force; `stopped`: configured, container not running; `missing`: running without it. */
const interfaceStates = ['attached', 'degraded', 'waiting', 'adding', 'removing', 'missing', 'stopped', 'leftover'] as const;

export const interfaceView = z
  .object({
    name: ifname,
    network: networkName,
    state: z.enum(interfaceStates),
    configuredAddress: z.union([z.literal('auto'), z.array(z.string())]).nullable(),
    addresses: z.array(z.string()).meta({ description: 'without prefix length' }),
    mac: z.string(),
    mtuBytes: z.number().int().nullable(),
    hostInterface: z.string(),
    defaultRoute: z.boolean(),
    since: time.nullable(),
    error: errorView.nullable(),
  })
  .meta({ id: 'Interface' });
export type InterfaceView = z.output<typeof interfaceView>;

export const containerView = z
  .object({
    vmid,
    running: z.boolean(),
    initPid: z.number().int().nullable(),
    containerId: z.string().nullable(),
    netnsPath: z.string(),
    onFailure,
    file: z.string(),
    labels: z.record(z.string(), z.string()).meta({ description: 'those of its file' }),
    interfaces: z.array(interfaceView),
    place: z
      .object({
        node: z.string(),
        here: z.boolean(),
        status: z.enum(['running', 'stopped', 'unknown']).nullable().meta({ description: 'by Proxmox’s API, which may be a minute old' }),
        ha: z.string().nullable().meta({ description: 'what the high-availability manager is about with it' }),
        asOf: time.nullable(),
      })
      .nullable()
      .meta({ description: 'where Proxmox has it; null when that is not known, and without Proxmox' }),
    problem: errorView.nullable(),
    lastRefusal: z.object({ time, message: z.string(), operation: z.string() }).nullable(),
  })
  .meta({ id: 'ContainerStatus' });
export type ContainerView = z.output<typeof containerView>;

export const networkView = z
  .object({
    name: networkName,
    type: z.enum(networkTypes),
    file: z.string(),
    state: z.enum(['ready', 'absent', 'differs', 'failed']).meta({ description: 'of what the network needs on this node' }),
    bridge: z.string().nullable(),
    subnets: z.array(
      z.object({
        cidr: z.string(),
        gateway: z.string().nullable(),
        range: z.string().nullable(),
        size: z.string(),
        used: z.number().int(),
      }),
    ),
    containers: z.array(vmid),
    nodes: z
      .array(
        z.object({
          node: z.string(),
          ready: z.boolean(),
          message: z.string().meta({ description: 'why the node cannot make it' }),
          since: time,
          online: z.boolean().nullable(),
        }),
      )
      .meta({ description: 'which nodes of the cluster can make it, by their own word' }),
    warnings: z.array(z.string()),
    problem: errorView.nullable(),
  })
  .meta({ id: 'NetworkStatus' });
export type NetworkView = z.output<typeof networkView>;

export const addressView = z
  .object({
    network: networkName,
    address: z.string(),
    vmid,
    ifname,
    state: z.enum(['reserved', 'kept']),
    since: time,
    releaseAt: time.nullable(),
    inUse: z.boolean(),
  })
  .meta({ id: 'Address' });
export type AddressView = z.output<typeof addressView>;

/** `ready`: all backends are up; `degraded`: some are; `down`: none is; `refused`: its address is somebody's on this node or cluster;
 *  `pending`: the agent does not hold it as it should be yet; `unavailable`: the agent does not answer. */
const serviceStates = ['ready', 'degraded', 'down', 'refused', 'pending', 'unavailable'] as const;

export const serviceView = z
  .object({
    name: serviceName,
    file: z.string(),
    state: z.enum(serviceStates),
    message: z.string().meta({ description: 'why it is not ready' }),
    address: z.string().nullable(),
    nodePort: z.object({ port: z.number().int(), inForce: z.boolean().meta({ description: 'this node serves it' }) }).nullable(),
    ports: z.array(z.object({ port: z.number().int(), target: z.number().int(), protocol: z.enum(serviceProtocols) })),
    matchLabels: z.record(z.string(), z.string()),
    affinity: z.enum(affinities),
    health: z
      .object({
        check: z.string().meta({ description: '`http://:8080/healthz`, `tcp://:5432`' }),
        intervalSeconds: z.number(),
        timeoutSeconds: z.number(),
      })
      .nullable(),
    inAgent: z.boolean().meta({ description: 'the agent of this node holds exactly this' }),
    backends: z.array(
      z.object({
        vmid,
        name: z.string(),
        node: z.string(),
        address: z.string(),
        up: z.boolean(),
        reason: z.string(),
        since: time.nullable(),
      }),
    ),
  })
  .meta({ id: 'ServiceStatus' });
export type ServiceView = z.output<typeof serviceView>;

const spanView = z.object({
  id: z.string(),
  parent: z.string().nullable(),
  name: z.string(),
  startMs: z.number().meta({ description: 'after the begin of the operation' }),
  durationMs: z.number(),
  error: z.string().optional(),
  facts: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
});

export const operationView = z
  .object({
    id: z.string(),
    kind: z.enum(operationKinds),
    vmid: vmid.nullable(),
    network: z.string().nullable(),
    door: z.string(),
    user: z.string(),
    upid: z.string().nullable(),
    traceId: z.string(),
    begin: time,
    end: time.nullable(),
    durationMs: z.number().nullable(),
    outcome: z.enum(operationOutcomes).nullable(),
    message: z.string(),
    error: errorView.nullable(),
    before: z.string().nullable(),
    after: z.string().nullable(),
    spans: z.array(spanView),
  })
  .meta({ id: 'Operation' });
export type OperationView = z.output<typeof operationView>;

const debtView = z
  .object({
    id: z.number().int(),
    vmid,
    ifname,
    network: z.string(),
    containerId: z.string(),
    attempts: z.number().int(),
    since: time,
    nextTryAt: time,
    reason: errorView,
  })
  .meta({ id: 'Debt' });

const configProblemView = z.object({ file: z.string(), lastGoodServes: z.boolean(), error: errorView }).meta({ id: 'ConfigProblem' });

export const statusView = z
  .object({
    version: z.string(),
    node: z.string(),
    bootId: z.string(),
    uptimeSeconds: z.number(),
    root: z.object({ path: z.string(), available: z.boolean(), writable: z.boolean() }),
    containers: z.object({ managed: z.number().int(), running: z.number().int(), degraded: z.number().int() }),
    networks: z.number().int(),
    operationsRunning: z.number().int(),
    debts: z.array(debtView),
    problems: z.array(configProblemView),
    flows: flowStatus,
    notices: z.array(z.string()).meta({ description: 'what an administrator should know, e.g. that the state was rebuilt' }),
    lastReconcile: time.nullable(),
  })
  .meta({ id: 'Status' });
export type StatusView = z.output<typeof statusView>;

/** A thing that should not be there, and why; `gc` removes it, `gc --dry-run` shows it. */
const leakKinds = ['cache', 'pin', 'bridge', 'nft-rule', 'address', 'marker', 'endpoint', 'route', 'gate'] as const;
export const leakView = z
  .object({
    kind: z.enum(leakKinds),
    what: z.string(),
    why: z.string(),
    vmid: vmid.nullable(),
    network: z.string().nullable(),
    removed: z.boolean(),
    error: errorView.nullable(),
  })
  .meta({ id: 'Leak' });
export type LeakView = z.output<typeof leakView>;

export const gcView = z.object({ dryRun: z.boolean(), leaks: z.array(leakView) }).meta({ id: 'GarbageCollection' });
export type GcView = z.output<typeof gcView>;

export const checkView = z
  .object({
    ok: z.boolean(),
    results: z.array(z.object({ what: z.string(), ok: z.boolean(), message: z.string(), error: errorView.nullable() })),
  })
  .meta({ id: 'Check' });
export type CheckView = z.output<typeof checkView>;

export const doctorView = z
  .object({
    ok: z.boolean(),
    checks: z.array(
      z.object({ name: z.string(), state: z.enum(['ok', 'warning', 'bad', 'skipped']), message: z.string(), cure: z.string() }),
    ),
  })
  .meta({ id: 'Doctor' });
export type DoctorView = z.output<typeof doctorView>;

export const hookAnswer = z.object({ message: z.string(), warnings: z.array(z.string()) }).meta({ id: 'HookAnswer' });
export const hookPhase = z.enum(hookPhases);

export const attachRequest = z
  .strictObject({ interface: containerInterface, onFailure: onFailure.optional() })
  .meta({ id: 'AttachRequest' });
export const gcRequest = z.strictObject({ dryRun: z.boolean().default(false) }).meta({ id: 'GcRequest' });
export const protectRequest = z
  .strictObject({ ifname: ifname.optional().meta({ description: 'the first interface when absent' }) })
  .meta({ id: 'ProtectRequest' });
export const containerCheckRequest = z.strictObject({ repair: z.boolean().default(false) }).meta({ id: 'ContainerCheckRequest' });

/** Answer to a change of configuration: what is configured now, and what the node made of it at once. */
export const changeView = z.object({ container: containerView, operation: z.string(), message: z.string() }).meta({ id: 'Change' });
export type ChangeView = z.output<typeof changeView>;
