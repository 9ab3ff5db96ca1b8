import type { Health, InterfaceStatus, Topology } from '../model/panel-api.ts';

/** What the picture of the node is drawn from. */
export interface TopologyFacts {
  interfaces: readonly Pick<InterfaceStatus, 'vmid' | 'container' | 'running' | 'ifname' | 'network' | 'state' | 'hostIfname'>[];
  networks: readonly TopologyNetwork[];
  /** links that the others name, and the ports of those that are bridges */
  links: ReadonlyMap<string, { up: boolean; isBridge: boolean; ports: readonly string[] }>;
  /** links that the node's default routes lead to */
  defaultLinks: readonly string[];
  /** Cilium's; null: no network needs it */
  agent: { healthy: boolean; detail: string } | null;
}

export interface TopologyNetwork {
  name: string;
  type: string;
  state: 'ready' | 'absent' | 'differs' | 'failed';
  detail: string;
  /** the bridge, or the link of the node, that its interfaces are on */
  on: { kind: 'bridge' | 'uplink'; name: string } | null;
  /** how what is sent to the world leaves the node; null: by its bridge's ports, or not at all */
  leaves: 'NAT' | 'routed' | null;
  agent: boolean;
}

type Node = Topology['nodes'][number];
type Edge = Topology['edges'][number];

const networkHealth: Record<TopologyNetwork['state'], Health> = {
  ready: 'good',
  absent: 'warning',
  differs: 'warning',
  failed: 'critical',
};
const interfaceHealth: Record<InterfaceStatus['state'], Health> = {
  attached: 'good',
  adding: 'warning',
  removing: 'warning',
  waiting: 'warning',
  degraded: 'critical',
  failed: 'critical',
  configured: 'off',
};

/** Names that guests' ends have on a Proxmox node: everything else on a bridge leads out of the node. */
const guestEnd = /^(veth|tap\d|fwpr|fwln|lxc)/;

/** Nodes of the picture, and edges from what is attached to what carries it. */
export function drawTopology({ interfaces, networks, links, defaultLinks, agent }: TopologyFacts): Topology {
  const nodes = new Map<string, Node>();
  const edges = new Map<string, Edge>();
  const ends = new Set(interfaces.map(({ hostIfname }) => hostIfname));

  function add(kind: Node['kind'], name: string, rest: Omit<Node, 'id' | 'kind' | 'name'>): string {
    const id = `${kind}:${name}`;
    if (!nodes.has(id)) nodes.set(id, { id, kind, name, ...rest });
    return id;
  }

  function connect(from: string, to: string, state: Health, label?: string): void {
    const edge = { from, to, ...(label && { label }), state };
    if (from !== to && !edges.has(`${from} ${to} ${label}`)) edges.set(`${from} ${to} ${label}`, edge);
  }

  /** A link of the node, with what leads out of it when it is a bridge. */
  function addLink(name: string, kind?: 'bridge' | 'uplink'): string {
    const link = links.get(name);
    const isBridge = kind === 'bridge' || link?.isBridge;
    if (!isBridge) return add('uplink', name, factsOf(name));
    const id = `bridge:${name}`;
    if (nodes.has(id)) return id;
    add('bridge', name, factsOf(name));
    const outward = link?.ports.filter((port) => !guestEnd.test(port) && !ends.has(port)) ?? [];
    for (const port of outward) connect(id, add('uplink', port, factsOf(port)), healthOfLink(links.get(port)));
    return id;
  }

  function factsOf(name: string): Pick<Node, 'state' | 'detail'> {
    const link = links.get(name);
    return { state: healthOfLink(link), detail: link ? (link.up ? 'up' : 'down') : 'not there' };
  }

  function leave(from: string, label?: string): void {
    for (const link of defaultLinks) connect(from, addLink(link), healthOfLink(links.get(link)), label);
  }

  const agentState: Health = agent?.healthy ? 'good' : 'critical';
  const ofAgent = agent && add('agent', 'cilium', { state: agentState, detail: agent.detail });
  if (ofAgent) leave(ofAgent);
  for (const { name, state, detail, on, leaves, agent: needsAgent } of networks) {
    const health = networkHealth[state];
    const id = add('network', name, { state: health, detail, network: name });
    if (needsAgent && ofAgent) connect(id, ofAgent, agentState);
    if (!on) continue;
    const carrier = addLink(on.name, on.kind);
    connect(id, carrier, health);
    if (leaves) leave(carrier, leaves);
  }
  for (const [vmid, own] of byContainer(interfaces)) {
    const { container, running } = own[0] as (typeof own)[number];
    const from = `container:${vmid}`;
    const detail = `${running ? 'running' : 'stopped'}, ${own.length === 1 ? '1 interface' : `${own.length} interfaces`}`;
    nodes.set(from, { id: from, kind: 'container', name: container, state: worst(own.map(healthOf)), detail, vmid });
    for (const one of own) {
      // a network that is not configured any more is shown as long as somebody is to be on it
      const to = add('network', one.network, { state: 'critical', detail: 'not configured', network: one.network });
      connect(from, to, healthOf(one), one.ifname);
    }
  }
  return { nodes: [...nodes.values()], edges: [...edges.values()] };
}

function healthOfLink(link: { up: boolean } | undefined): Health {
  return link ? (link.up ? 'good' : 'critical') : 'warning';
}

function healthOf({ state }: { state: InterfaceStatus['state'] }): Health {
  return interfaceHealth[state];
}

const order: readonly Health[] = ['critical', 'warning', 'off', 'good'];

function worst(states: readonly Health[]): Health {
  return order.find((state) => states.includes(state)) ?? 'good';
}

function byContainer<One extends { vmid: number }>(list: readonly One[]): Map<number, One[]> {
  const groups = new Map<number, One[]>();
  for (const one of list) {
    const group = groups.get(one.vmid);
    if (group) group.push(one);
    else groups.set(one.vmid, [one]);
  }
  return groups;
}
