import type { AgentConfig, Frontend, KnownAddress } from '../cilium/agent.ts';
import { subnetContains } from '../core/addresses.ts';
import { ciliumPaths } from '../core/cilium-agent.ts';
import { canonicalIp } from '../core/ip.ts';
import { labelValue, vmidOf } from '../core/labels.ts';
import {
  type Backend,
  backendsOf,
  bracketed,
  type Candidate,
  difference,
  type HeldFrontend,
  isChosen,
  labelsByKey,
  servicesNamespace,
  stateFile,
} from '../core/services.ts';
import type { ServiceView } from '../model/api.ts';
import { asPveCniError, failure } from '../model/errors.ts';
import type { Service } from '../model/service.ts';
import { outsideTrace } from '../observe/tracing.ts';
import { createBackendReports } from './backend-reports.ts';
import type { Dependencies } from './dependencies.ts';
import { createHealthChecks } from './health-checks.ts';
import { createNodePortKeeper } from './node-ports.ts';

const tickMs = 1000;
/** An agent that came back learns for so long what it knew before, ms. */
const relearnMs = 10_000;
/** identities are looked up again after so long, since their numbers are used again, ms */
const identitiesMs = 30_000;
/** An agent that does not hold what the file says after so long is given the file again, ms. */
const patienceMs = 10_000;

/** Keeps the agent's load-balancer state file, and the node ports, what the configured services and the running containers make them. */
export interface Balancer {
  start(): void;
  stop(): Promise<void>;
  views(): Promise<ServiceView[]>;
  /** @throws ConfigurationError SERVICE_UNKNOWN */
  view(name: string): Promise<ServiceView>;
}

interface Entry {
  service: Service;
  backends: Backend[];
  /** whose its address is; null: nobody's */
  conflict: string | null;
}

/** What the agent said last. */
interface Knowledge {
  candidates: Candidate[];
  /** canonical address → whose it is */
  taken: ReadonlyMap<string, string>;
  config: AgentConfig['status']['addressing'];
}

export function createBalancer(deps: Dependencies): Balancer {
  const { cilium, configuration, host, settings, clock, log } = deps;
  const node = labelValue(deps.node);
  const file = ciliumPaths(settings).services;
  const checks = createHealthChecks(deps, soon);
  const reports = createBackendReports({ etcd: deps.etcd, node, clusterName: settings.cilium.clusterName, clock, log, changed: soon });
  const nodePorts = createNodePortKeeper(deps, node);
  let knowledge: Knowledge | null = null;
  let identities = { at: 0, labels: new Map<number, string[]>() };
  /** why the agent does not answer; null: it does */
  let silence: string | null = null;
  let cameBackAt = 0;
  let entries: Entry[] = [];
  /** epoch ms since when the agent holds something else than it should */
  let differsSince: number | null = null;
  let timer: NodeJS.Timeout | undefined;
  let ticking: Promise<void> | null = null;
  let again = false;
  let stopped = false;

  /** Something changed: the next look does not wait for its time. */
  function soon(): void {
    again = true;
    if (!ticking) schedule(0);
  }

  function schedule(delayMs: number): void {
    clearTimeout(timer);
    if (stopped) return;
    timer = setTimeout(() => {
      again = false;
      ticking = tick()
        .catch((error) => log.error({ err: error }, 'the services could not be looked after'))
        .finally(() => {
          ticking = null;
          schedule(again ? 0 : tickMs);
        });
    }, delayMs);
  }

  async function tick(): Promise<void> {
    const services = [...configuration.current.services.values()];
    // what an earlier life left is not wanted any more, whether or not there is an agent
    if (services.every(({ nodePort }) => nodePort === null)) await nodePorts.settle([]);
    if (services.length === 0 && entries.length === 0 && (await isEmpty(file))) return;
    await learn();
    if (!knowledge) return;
    const heard = knowledge;
    const { candidates } = heard;
    checks.follow(
      services.flatMap((service) =>
        service.health
          ? candidates.filter((one) => one.node === node && isChosen(service, one)).map((candidate) => ({ service, candidate }))
          : [],
      ),
    );
    // a service that starts must not take out what it has not looked at yet
    const first = entries.length === 0 && (!checks.complete || !reports.asked);
    const own = { backends: checks.findings() };
    if (!first || checks.complete) reports.exchange(own);
    if (first) return;
    const known = reports.known();
    const view = { ...known, nodes: new Map([...known.nodes, [node, own]]) };
    const next = services.map((service) => ({
      service,
      backends: backendsOf(service, candidates, view),
      conflict: conflictOf(service, heard),
    }));
    await nodePorts.settle(next.filter(({ conflict }) => conflict === null));
    // shown only now: what is shown of a node port is in force
    entries = next;
    await write();
    await compare();
  }

  /** Asks the agent; when it does not answer, what it said last serves. */
  async function learn(): Promise<void> {
    try {
      const [addresses, { status }, local] = await Promise.all([
        cilium.agent.knownAddresses(),
        cilium.agent.config(),
        host.localAddresses(),
      ]);
      const labels = await labelsOf(addresses);
      const candidates = addresses.flatMap((one) => candidateOf(one, labels) ?? []);
      if (silence !== null) {
        cameBackAt = clock();
        silence = null;
      }
      // an agent that has just started has not heard of all containers yet
      if (knowledge && clock() - cameBackAt < relearnMs)
        for (const before of knowledge.candidates)
          if (!candidates.some(({ address }) => address === before.address)) candidates.push(before);
      knowledge = { candidates, taken: takenOf(addresses, candidates, local), config: status.addressing };
    } catch (thrown) {
      const { message } = asPveCniError(thrown);
      if (silence === null) log.warn({ reason: message }, 'the services are left as they are');
      silence = message;
    }
  }

  async function labelsOf(addresses: readonly KnownAddress[]): Promise<ReadonlyMap<number, string[]>> {
    const complete = addresses.every(({ identity }) => identity < 256 || identities.labels.has(identity));
    if (!complete || clock() - identities.at > identitiesMs) {
      const all = await cilium.agent.identities();
      identities = { at: clock(), labels: new Map(all.map(({ id, labels }) => [id, labels])) };
    }
    return identities.labels;
  }

  async function write(): Promise<void> {
    const text = stateFile(entries.filter(({ conflict }) => conflict === null));
    if ((await host.readText(file)) === text) return;
    await host.writeDurably(file, text);
    differsSince = clock();
    log.info({ services: entries.length }, 'the services changed');
  }

  /** Reads back what the agent made of the file. */
  async function compare(): Promise<void> {
    if (differsSince === null || silence !== null) return;
    const held = heldBy(await cilium.agent.frontends());
    const differs = [
      ...entries.flatMap((entry) => (entry.conflict === null ? (difference(entry.service, entry.backends, held) ?? []) : [])),
      ...held.flatMap(({ name }) => (entries.some(({ service }) => service.name === name) ? [] : [`the agent still has ${name}`])),
    ];
    if (differs.length === 0) {
      differsSince = null;
      return;
    }
    if (clock() - differsSince < patienceMs) return;
    log.warn({ differs: differs.slice(0, 5) }, 'the agent does not take up the services; it is given the file again');
    await host.remove(file);
    await write();
  }

  async function viewOf(service: Service, held: readonly HeldFrontend[] | string): Promise<ServiceView> {
    const entry = entries.find((one) => one.service.name === service.name);
    const backends = entry?.backends ?? [];
    const { name, address, nodePort, ports, matchLabels, affinity, health } = service;
    const atNode = nodePorts.stateOf(service);
    const differs = typeof held === 'string' ? held : difference(service, backends, held);
    return {
      name,
      file: service.file,
      ...stateOf(service, entry, typeof held === 'string' ? held : null, differs, atNode.problem),
      address,
      nodePort: nodePort === null ? null : { port: nodePort, inForce: atNode.inForce },
      ports,
      matchLabels,
      affinity,
      health: health && {
        check: health.check.kind === 'http' ? `http://:${health.port}${health.check.path}` : `tcp://:${health.port}`,
        intervalSeconds: health.intervalMs / 1000,
        timeoutSeconds: health.timeoutMs / 1000,
      },
      inAgent: differs === null,
      backends: backends.map((one) => ({ ...one, since: one.since === null ? null : new Date(one.since).toISOString() })),
    };
  }

  async function views(only?: string): Promise<ServiceView[]> {
    const services = [...configuration.current.services.values()].filter(({ name }) => only === undefined || name === only);
    const held = services.length === 0 ? [] : await cilium.agent.frontends().then(heldBy, (thrown) => asPveCniError(thrown).message);
    return Promise.all(services.map((service) => viewOf(service, held)));
  }

  return {
    start() {
      configuration.onChange(() => outsideTrace(soon));
      outsideTrace(() => schedule(0));
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await ticking;
      await Promise.all([checks.stop(), reports.stop()]);
    },
    views: () => views(),
    async view(name) {
      const [view] = await views(name);
      if (!view) throw failure('SERVICE_UNKNOWN', `there is no service "${name}"; see pve-cni service list`, { service: name });
      return view;
    },
  };

  async function isEmpty(path: string): Promise<boolean> {
    const text = await host.readText(path);
    return text === null || !text.includes('"metadata"');
  }
}

function candidateOf({ cidr, identity }: KnownAddress, identities: ReadonlyMap<number, string[]>): Candidate | null {
  const all = identities.get(identity) ?? [];
  const vmid = vmidOf(all);
  const address = canonicalIp(cidr.replace(/\/(32|128)$/, ''));
  if (vmid === null || address === null) return null;
  const labels = labelsByKey(all);
  return { vmid, name: labels.name ?? '', node: labels.node ?? '', address, labels };
}

function takenOf(
  known: readonly KnownAddress[],
  candidates: readonly Candidate[],
  local: Awaited<ReturnType<Dependencies['host']['localAddresses']>>,
): ReadonlyMap<string, string> {
  const canonical = (text: string) => canonicalIp(text.replace(/\/\d+$/, '')) ?? '';
  const single = known.filter(({ cidr }) => /\/(32|128)$/.test(cidr));
  return new Map([
    ...single.map(({ cidr }) => [canonical(cidr), 'an address that Cilium knows to be in use'] as const),
    ...known.filter(({ hostIP }) => hostIP !== '').map(({ hostIP }) => [canonical(hostIP), 'the address of a node'] as const),
    ...[...local.ipv4].map((address) => [address, 'an address of this node'] as const),
    ...local.ipv6.map(({ address }) => [canonical(address), 'an address of this node'] as const),
    ...candidates.map(({ address, vmid }) => [address, `the address of container ${vmid}`] as const),
  ]);
}

/** Whose the service's address is already, which only shows on a running node; null: nobody's. */
function conflictOf({ address }: Service, { taken, config }: Knowledge): string | null {
  if (address === null) return null;
  const owner = taken.get(address);
  if (owner) return `${address} is ${owner}; choose another`;
  const family = address.includes(':') ? config.ipv6 : config.ipv4;
  if (!family?.enabled) return `the agent of this node does not carry the family of ${address}; see cilium in pve-cnid.yaml`;
  const range = family['alloc-range'];
  return range && subnetContains({ cidr: range }, address)
    ? `${address} is of ${range}, which this node's agent gives out; choose another`
    : null;
}

function heldBy(frontends: readonly Frontend[]): HeldFrontend[] {
  return frontends
    .filter(({ flags }) => flags.namespace === servicesNamespace)
    .map((one) => ({
      name: one.flags.name,
      frontend: `${addressPort(one['frontend-address'])}/${one['frontend-address'].protocol.toLowerCase()}`,
      backends: new Map((one['backend-addresses'] ?? []).map((backend) => [addressPort(backend), backend.state === 'active'])),
    }));
}

function addressPort({ ip, port }: { ip: string; port: number }): string {
  return `${bracketed(canonicalIp(ip) ?? ip)}:${port}`;
}

function stateOf(
  { address, matchLabels }: Service,
  entry: Entry | undefined,
  silence: string | null,
  differs: string | null,
  atNode: Pick<ServiceView, 'state' | 'message'> | null,
): Pick<ServiceView, 'state' | 'message'> {
  if (silence !== null) return { state: 'unavailable', message: silence };
  if (!entry) return { state: 'pending', message: 'its backends are being looked for' };
  if (entry.conflict !== null) return { state: 'refused', message: entry.conflict };
  const down = entry.backends.filter(({ up }) => !up);
  if (entry.backends.length === 0) {
    const labels = Object.entries(matchLabels).map((pair) => pair.join('='));
    return { state: 'down', message: `no running container on a Cilium network has ${labels.join(', ')}` };
  }
  if (down.length === entry.backends.length) return { state: 'down', message: `no backend is up: ${down[0]?.reason}` };
  if (atNode !== null) return address === null ? atNode : { ...atNode, state: atNode.state === 'pending' ? 'pending' : 'degraded' };
  if (differs !== null) return { state: 'pending', message: differs };
  if (down.length > 0) return { state: 'degraded', message: `${down.length} of ${entry.backends.length} backends are not up` };
  return { state: 'ready', message: '' };
}
