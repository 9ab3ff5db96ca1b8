/** The part of Hubble's protocol that is used, as protobufjs reads it: so that nothing is looked up in files at run time. Names and
 *  numbers of fields come from api/v1/observer/observer.proto and api/v1/flow/flow.proto of Cilium 1.20. Enumerations are read as their
 *  numbers: on the wire they are the same, and one that a newer agent has passes. What is not listed here is skipped when it comes. */

type Field = { type: string; id: number; rule?: 'repeated' };
type Message = { fields: Record<string, Field>; oneofs?: Record<string, { oneof: string[] }> };

const one = (type: string, id: number): Field => ({ type, id });
const many = (type: string, id: number): Field => ({ type, id, rule: 'repeated' });

const flow: Record<string, Message> = {
  Flow: {
    fields: {
      time: one('google.protobuf.Timestamp', 1),
      verdict: one('int32', 2),
      IP: one('IP', 5),
      l4: one('Layer4', 6),
      source: one('Endpoint', 8),
      destination: one('Endpoint', 9),
      nodeName: one('string', 11),
      sourceNames: many('string', 13),
      destinationNames: many('string', 14),
      l7: one('Layer7', 15),
      eventType: one('CiliumEventType', 19),
      destinationService: one('Service', 21),
      trafficDirection: one('int32', 22),
      dropReasonDesc: one('int32', 25),
      traceReason: one('int32', 36),
      egressAllowedBy: many('Policy', 21001),
      ingressAllowedBy: many('Policy', 21002),
      egressDeniedBy: many('Policy', 21004),
      ingressDeniedBy: many('Policy', 21005),
    },
  },
  IP: { fields: { source: one('string', 1), destination: one('string', 2) } },
  Layer4: {
    oneofs: { protocol: { oneof: ['TCP', 'UDP', 'ICMPv4', 'ICMPv6', 'SCTP', 'VRRP', 'IGMP'] } },
    fields: {
      TCP: one('Ports', 1),
      UDP: one('Ports', 2),
      ICMPv4: one('Icmp', 3),
      ICMPv6: one('Icmp', 4),
      SCTP: one('Ports', 5),
      VRRP: one('Other', 6),
      IGMP: one('Other', 7),
    },
  },
  // TCP, UDP and SCTP alike
  Ports: { fields: { sourcePort: one('uint32', 1), destinationPort: one('uint32', 2) } },
  Icmp: { fields: { type: one('uint32', 1), code: one('uint32', 2) } },
  Other: { fields: { type: one('uint32', 1) } },
  Layer7: {
    oneofs: { record: { oneof: ['dns', 'http'] } },
    fields: { type: one('int32', 1), dns: one('DNS', 100), http: one('HTTP', 101) },
  },
  DNS: { fields: { query: one('string', 1), rcode: one('uint32', 6), qtypes: many('string', 7) } },
  HTTP: { fields: { code: one('uint32', 1), method: one('string', 2), url: one('string', 3) } },
  Endpoint: { fields: { ID: one('uint32', 1), identity: one('uint32', 2), labels: many('string', 4) } },
  CiliumEventType: { fields: { type: one('int32', 1), subType: one('int32', 2) } },
  Service: { fields: { name: one('string', 1) } },
  Policy: { fields: { name: one('string', 1), labels: many('string', 3) } },
  LostEvent: { fields: { source: one('int32', 1), numEventsLost: one('uint64', 2) } },
  FlowFilter: {
    fields: {
      eventType: many('EventTypeFilter', 6),
      reply: many('bool', 15),
      dropReasonDesc: many('int32', 33),
    },
  },
  EventTypeFilter: { fields: { type: one('int32', 1), matchSubType: one('bool', 2), subType: one('int32', 3) } },
};

const observer: Record<string, Message> = {
  ServerStatusRequest: { fields: {} },
  ServerStatusResponse: {
    fields: { numFlows: one('uint64', 1), maxFlows: one('uint64', 2), seenFlows: one('uint64', 3), uptimeNs: one('uint64', 4) },
  },
  GetFlowsRequest: {
    fields: {
      number: one('uint64', 1),
      follow: one('bool', 3),
      blacklist: many('flow.FlowFilter', 5),
      whitelist: many('flow.FlowFilter', 6),
      since: one('google.protobuf.Timestamp', 7),
      first: one('bool', 9),
    },
  },
  GetFlowsResponse: {
    oneofs: { response: { oneof: ['flow', 'lostEvents'] } },
    fields: { flow: one('flow.Flow', 1), lostEvents: one('flow.LostEvent', 3) },
  },
};

const methods = {
  GetFlows: { requestType: 'GetFlowsRequest', responseType: 'GetFlowsResponse', responseStream: true },
  ServerStatus: { requestType: 'ServerStatusRequest', responseType: 'ServerStatusResponse' },
};

export const hubbleProtocol = {
  nested: {
    google: {
      nested: { protobuf: { nested: { Timestamp: { fields: { seconds: one('int64', 1), nanos: one('int32', 2) } } } } },
    },
    flow: { nested: flow },
    observer: { nested: { ...observer, Observer: { methods } } },
  },
};

/** A flow as it comes, after decoding: what the protocol says is there, with everything optional. */
export interface RawFlow {
  time?: RawTime | null;
  verdict?: number;
  IP?: { source?: string; destination?: string } | null;
  l4?: {
    TCP?: RawPorts | null;
    UDP?: RawPorts | null;
    SCTP?: RawPorts | null;
    ICMPv4?: RawIcmp | null;
    ICMPv6?: RawIcmp | null;
    VRRP?: object | null;
    IGMP?: object | null;
  } | null;
  source?: RawEndpoint | null;
  destination?: RawEndpoint | null;
  nodeName?: string;
  sourceNames?: string[];
  destinationNames?: string[];
  l7?: {
    type?: number;
    dns?: { query?: string; rcode?: number; qtypes?: string[] } | null;
    http?: { code?: number; method?: string; url?: string } | null;
  } | null;
  eventType?: { type?: number; subType?: number } | null;
  destinationService?: { name?: string } | null;
  trafficDirection?: number;
  dropReasonDesc?: number;
  traceReason?: number;
  egressAllowedBy?: RawPolicy[];
  ingressAllowedBy?: RawPolicy[];
  egressDeniedBy?: RawPolicy[];
  ingressDeniedBy?: RawPolicy[];
}
export interface RawTime {
  seconds?: number;
  nanos?: number;
}
interface RawPorts {
  sourcePort?: number;
  destinationPort?: number;
}
interface RawIcmp {
  type?: number;
  code?: number;
}
export interface RawEndpoint {
  ID?: number;
  identity?: number;
  labels?: string[];
}
export interface RawPolicy {
  name?: string;
  labels?: string[];
}
export interface RawLoss {
  source?: number;
  numEventsLost?: number;
}
