import type { BackendReport, Service } from '../model/service.ts';

/** A container's address on Cilium, as the agent knows it: of this node or of another. */
export interface Candidate {
  vmid: number;
  /** name of the container, as its labels say */
  name: string;
  node: string;
  address: string;
  labels: Readonly<Record<string, string>>;
}

/** A container that a service chooses, and whether it is given anything. */
export interface Backend {
  vmid: number;
  name: string;
  node: string;
  address: string;
  up: boolean;
  /** why it is not up, or what is not known of it; '' when there is nothing to say */
  reason: string;
  /** epoch ms; null: nobody has said */
  since: number | null;
}

/** What other nodes have told: node → report. `unavailable`: why nothing could be read at all. */
export interface Reports {
  nodes: ReadonlyMap<string, BackendReport>;
  unavailable: string | null;
}

/** Labels of the source `k8s`, which all of ours have (core/labels.ts), by key. */
export function labelsByKey(labels: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    labels.flatMap((label) => {
      const parts = /^k8s:([^=]+)=(.*)$/.exec(label);
      return parts ? [[parts[1], parts[2]]] : [];
    }),
  );
}

/** Whether a container is one of the service's backends: those of a node port alone are of both families. */
export function isChosen({ matchLabels, address }: Service, candidate: Candidate): boolean {
  if (address !== null && address.includes(':') !== candidate.address.includes(':')) return false;
  return Object.entries(matchLabels).every(([key, value]) => candidate.labels[key] === value);
}

/** The backends of a service, the same on every node: each node checks its own containers, and all believe it. */
export function backendsOf(service: Service, candidates: readonly Candidate[], reports: Reports): Backend[] {
  return candidates
    .filter((candidate) => isChosen(service, candidate))
    .map(({ vmid, name, node, address }) => ({ vmid, name, node, address, ...verdict(service, node, address, reports) }))
    .sort((one, other) => one.vmid - other.vmid || (one.address < other.address ? -1 : 1));
}

function verdict(service: Service, node: string, address: string, reports: Reports): Pick<Backend, 'up' | 'reason' | 'since'> {
  const report = reports.nodes.get(node);
  if (!report) {
    // a store that cannot be read says nothing about nodes: better a backend that may be dead than none
    if (reports.unavailable !== null) return { up: true, reason: `its health is not known: ${reports.unavailable}`, since: null };
    return { up: false, reason: `node ${node} does not report: it is down, or its pve-cnid is`, since: null };
  }
  if (!service.health) return { up: true, reason: '', since: null };
  const said = report.backends.find((one) => one.service === service.name && one.address === address);
  return said ?? { up: false, reason: `node ${node} has not checked it yet`, since: null };
}

/** Cilium's agent knows our services by this namespace. */
export const servicesNamespace = 'pve-cni';

/** seconds that a client stays with its backend after it was last heard of: Kubernetes' default */
const affinitySeconds = 10_800;

/** The agent's load-balancer state file (StateFile in pkg/loadbalancer/reflectors/file.go of Cilium 1.20): Services and EndpointSlices. A
 *  backend that is not up stays in it as one that takes no new connections, so that those it has are not cut. */
export function stateFile(services: readonly { service: Service; backends: readonly Backend[] }[]): string {
  const addressed = services.flatMap(({ service, backends }) => (isAddressed(service) ? [{ service, backends }] : []));
  const state = {
    services: addressed.map(({ service }) => serviceObject(service)),
    endpoints: addressed.filter(({ backends }) => backends.length > 0).map(({ service, backends }) => sliceObject(service, backends)),
  };
  // JSON is YAML, and no text of ours can break out of it
  return `${JSON.stringify(state, null, 1)}\n`;
}

/** A service that the agent serves. */
type Addressed = Service & { address: string };

function isAddressed(service: Service): service is Addressed {
  return service.address !== null;
}

function serviceObject({ name, address, ports, affinity }: Addressed): unknown {
  return {
    metadata: { name, namespace: servicesNamespace },
    spec: {
      type: 'ClusterIP',
      clusterIP: address,
      clusterIPs: [address],
      ports: ports.map((one) => ({ name: portName(one), port: one.port, protocol: one.protocol.toUpperCase(), targetPort: one.target })),
      ...(affinity === 'client' && {
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds: affinitySeconds } },
      }),
    },
  };
}

function sliceObject({ name, address, ports }: Addressed, backends: readonly Backend[]): unknown {
  return {
    metadata: { name, namespace: servicesNamespace, labels: { 'kubernetes.io/service-name': name } },
    addressType: address.includes(':') ? 'IPv6' : 'IPv4',
    endpoints: backends.map(({ address: backend, node, up }) => ({
      addresses: [backend],
      nodeName: node,
      conditions: { ready: up, serving: up, terminating: false },
    })),
    ports: ports.map((one) => ({ name: portName(one), port: one.target, protocol: one.protocol.toUpperCase() })),
  };
}

function portName({ port, protocol }: Service['ports'][number]): string {
  return `${protocol}-${port}`;
}

/** A service of ours as the agent says it has it. */
export interface HeldFrontend {
  name: string;
  /** `10.96.0.10:80/tcp` */
  frontend: string;
  /** `10.201.1.5:8080` → whether it is given new connections */
  backends: ReadonlyMap<string, boolean>;
}

/** What of a service the agent holds otherwise than the file says; null: nothing. */
export function difference(service: Service, backends: readonly Backend[], held: readonly HeldFrontend[]): string | null {
  const own = new Map(held.filter(({ name }) => name === service.name).map((one) => [one.frontend, one.backends]));
  for (const { port, target, protocol } of isAddressed(service) ? service.ports : []) {
    const frontend = `${bracketed(service.address ?? '')}:${port}/${protocol}`;
    const found = own.get(frontend);
    if (!found) return `the agent does not have ${frontend}`;
    own.delete(frontend);
    const wanted = new Map(backends.map(({ address, up }) => [`${bracketed(address)}:${target}`, up]));
    for (const [backend, up] of wanted)
      if (found.get(backend) !== up)
        return `the agent ${found.has(backend) ? 'has another state of' : 'does not have'} ${backend} behind ${frontend}`;
    for (const backend of found.keys()) if (!wanted.has(backend)) return `the agent still has ${backend} behind ${frontend}`;
  }
  const [surplus] = own.keys();
  return surplus === undefined ? null : `the agent still has ${surplus}`;
}

/** An IPv6 address as it stands before a port. */
export function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
