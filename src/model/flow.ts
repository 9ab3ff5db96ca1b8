/** Flows: what was let through and what was not, whoever saw it. Nothing here belongs to one enforcer. */

/** Who saw it. */
export const flowOrigins = ['hubble'] as const;
export type FlowOrigin = (typeof flowOrigins)[number];

/** `audit`: would have been dropped, if policies were in force; `redirected`: to the proxy that decides about its content. */
export const flowVerdicts = ['forwarded', 'dropped', 'audit', 'error', 'redirected'] as const;
export type FlowVerdict = (typeof flowVerdicts)[number];

/** As the container sees it at whose interface it was seen. */
export const flowDirections = ['ingress', 'egress'] as const;
export type FlowDirection = (typeof flowDirections)[number];

export const flowProtocols = ['tcp', 'udp', 'sctp', 'icmp', 'icmpv6', 'vrrp', 'igmp', 'dns', 'http', 'other'] as const;
export type FlowProtocol = (typeof flowProtocols)[number];

/** `host`: this node; `node`: another one; `endpoint`: something with labels that is no container of ours. */
export const flowPeers = ['container', 'host', 'node', 'world', 'endpoint', 'unknown'] as const;
export type FlowPeer = (typeof flowPeers)[number];

export interface FlowEnd {
  kind: FlowPeer;
  vmid: number | null;
  /** of a container: its name; of the world: a DNS name that led there; of an endpoint: its labels; else empty */
  name: string;
  /** without prefix length; empty when it is not known */
  address: string;
  port: number | null;
}

export interface Flow {
  /** epoch ms, by the clock of the node that saw it */
  time: number;
  origin: FlowOrigin;
  verdict: FlowVerdict;
  direction: FlowDirection | null;
  protocol: FlowProtocol;
  from: FlowEnd;
  to: FlowEnd;
  /** why it was dropped, in words; empty for what was not */
  reason: string;
  /** names of the policies that decided, as far as who saw it tells them */
  policies: string[];
  /** what it was about: `echo request`, `GET /index.html`, `A example.com` */
  detail: string;
}

/** `flows` of settings.yaml. */
export interface FlowLimits {
  retentionDays: number;
  maxMegabytes: number;
}

/** A flow that is kept. */
export interface KeptFlow extends Flow {
  /** rises with the order of arrival */
  id: number;
}

/** Where flows went missing. `kernel`: the agent did not keep up with the kernel; `agent`: Hubble did not keep up with the agent; `hubble`: the
 *  service read slower than flows came, on purpose beyond a rate; `queue` and `store`: in the service; `follower`: who
 *  follows reads slower than flows come; `away`: agent or service was not there. */
export const flowLossPlaces = ['kernel', 'agent', 'hubble', 'queue', 'store', 'follower', 'away'] as const;
export type FlowLossPlace = (typeof flowLossPlaces)[number];

export interface FlowLoss {
  place: FlowLossPlace;
  /** epoch ms, both */
  since: number;
  until: number;
  /** how many; null: nobody knows */
  count: number | null;
}

/** What happens while somebody follows. */
export type FlowNews = { type: 'flow'; flow: Flow } | { type: 'loss'; loss: FlowLoss };

/** What is asked for; what is absent matches all. */
export interface FlowFilter {
  /** vmid or name of a container at either end */
  container?: string | undefined;
  verdict?: readonly FlowVerdict[] | undefined;
  /** at either end */
  port?: number | undefined;
  protocol?: FlowProtocol | undefined;
  direction?: FlowDirection | undefined;
  /** epoch ms */
  since?: number | undefined;
}
