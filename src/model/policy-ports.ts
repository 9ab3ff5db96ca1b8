import { z } from 'zod';
import { unenforced } from './fields.ts';

/** What a rule allows or denies of a connection: ports, DNS names in questions, kinds of ICMP. */

const envoy = 'it needs the proxy Envoy, which is not run on a node';
export const maxPorts = 40;

const portMessage = 'must be the number of a port, 0 to 65535; names of ports come from Kubernetes';
/** A number, in YAML with or without quotes; 0 is every port. */
const port = z.union([
  z.number().int().min(0, portMessage).max(65535, portMessage).transform(String),
  z.string().regex(/^(0|[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$/, portMessage),
]);

const portProtocols = ['TCP', 'UDP', 'ANY'] as const;
export const protocol = z.union([
  z.enum(portProtocols),
  unenforced('the agent is run without SCTP', ['SCTP']),
  unenforced('write ICMP as `icmps`', ['ICMP', 'ICMPv6', 'ICMPV6']),
  unenforced('the agent knows ports only', ['VRRP', 'IGMP', 'GRE', 'IPIP', 'IPV6', 'ESP', 'AH']),
]);

const portProtocol = z
  .strictObject({
    port,
    endPort: z.number().int().min(1).max(65535).optional().meta({ description: 'last port of a range' }),
    protocol: protocol.optional().meta({ description: '`ANY` when absent: TCP and UDP' }),
  })
  .superRefine(({ port, endPort }, context) => {
    if (endPort === undefined) return;
    if (port === '0') context.addIssue({ code: 'custom', path: ['endPort'], message: 'must be left out: port 0 is every port' });
    else if (endPort < Number(port))
      context.addIssue({ code: 'custom', path: ['endPort'], message: `must be ${port} at least, the first port` });
  });

/** Cilium's own characters; without the nested repetition of its pattern, which takes for ever on a long wrong name. */
const nameSyntax = (characters: string) => new RegExp(`^(?!\\.)(?!.*\\.\\.)[-a-zA-Z0-9_.${characters}]+$`);

/** One name or one pattern. */
export const dnsName = z
  .strictObject({
    matchName: z.string().max(255).regex(nameSyntax(''), 'must be a DNS name').optional(),
    matchPattern: z.string().max(255).regex(nameSyntax('*'), 'must be a DNS name with "*" in it').optional(),
  })
  .refine(
    ({ matchName, matchPattern }) => (matchName === undefined) !== (matchPattern === undefined),
    'must have one of matchName and matchPattern',
  );
export type DnsName = z.output<typeof dnsName>;

const portRules = z.strictObject({
  dns: z.array(dnsName).min(1).max(256).optional().meta({ description: 'names that may be asked for; needs `cilium.dnsPolicies`' }),
  http: unenforced(envoy).optional(),
  kafka: unenforced('Cilium 1.20 has no rules for Kafka any more').optional(),
  l7: unenforced('Cilium 1.20 has no generic rules any more').optional(),
  l7proto: unenforced('Cilium 1.20 has no generic rules any more').optional(),
});

const ports = z.array(portProtocol).min(1).max(maxPorts);

/** Ports of a rule that allows. */
export const portRule = z
  .strictObject({
    ports,
    rules: portRules.optional(),
    serverNames: unenforced(envoy).optional(),
    terminatingTLS: unenforced(envoy).optional(),
    originatingTLS: unenforced(envoy).optional(),
    listener: unenforced(envoy).optional(),
  })
  .superRefine(({ ports, rules }, context) => {
    if (!rules?.dns) return;
    for (const [index, { port, endPort }] of ports.entries())
      if (port === '0' || (endPort !== undefined && endPort > Number(port)))
        context.addIssue({ code: 'custom', path: ['ports', index], message: 'must be one port where DNS rules are, usually 53' });
  });
export type PortRule = z.output<typeof portRule>;

/** Ports of a rule that denies. */
export const portDenyRule = z.strictObject({ ports });

export const icmpFamilies = ['IPv4', 'IPv6'] as const;

/** Names of types that the agent knows, with their numbers: pkg/policy/api/icmp.go of Cilium 1.20. */
export const icmpTypes: Record<(typeof icmpFamilies)[number], Record<string, number>> = {
  IPv4: {
    EchoReply: 0,
    DestinationUnreachable: 3,
    Redirect: 5,
    Echo: 8,
    EchoRequest: 8,
    RouterAdvertisement: 9,
    RouterSelection: 10,
    TimeExceeded: 11,
    ParameterProblem: 12,
    Timestamp: 13,
    TimestampReply: 14,
    Photuris: 40,
    ExtendedEchoRequest: 42,
    ExtendedEchoReply: 43,
  },
  IPv6: {
    DestinationUnreachable: 1,
    PacketTooBig: 2,
    TimeExceeded: 3,
    ParameterProblem: 4,
    EchoRequest: 128,
    EchoReply: 129,
    MulticastListenerQuery: 130,
    MulticastListenerReport: 131,
    MulticastListenerDone: 132,
    RouterSolicitation: 133,
    RouterAdvertisement: 134,
    NeighborSolicitation: 135,
    NeighborAdvertisement: 136,
    RedirectMessage: 137,
  },
};

const icmpField = z
  .strictObject({ family: z.enum(icmpFamilies).default('IPv4'), type: z.union([z.number().int().min(0).max(255), z.string()]) })
  .transform(({ family, type }, context) => {
    const number = typeof type === 'number' ? type : /^(0|[1-9][0-9]{0,2})$/.test(type) ? Number(type) : icmpTypes[family][type];
    if (number !== undefined && number <= 255) return { family, type: number };
    context.addIssue({
      code: 'custom',
      path: ['type'],
      message: `must be a number from 0 to 255, or a name that ${family} has, such as EchoRequest`,
    });
    return z.NEVER;
  });

export const icmpRule = z.strictObject({ fields: z.array(icmpField).min(1).max(maxPorts) });
export type IcmpRule = z.output<typeof icmpRule>;
