import type { Service } from '../model/service.ts';
import type { Hash } from './ids.ts';

/** A port that every address of the node serves, and who answers there. */
export interface NodePort {
  service: string;
  port: number;
  protocol: Service['ports'][number]['protocol'];
  /** port of the backends */
  target: number;
  affinity: Service['affinity'];
  /** addresses of those that take new connections, of both families, in the same order on every node */
  backends: readonly string[];
}

/** Our own table; nothing else is in it. */
export const nodePortTable = { family: 'inet', name: 'pve_cni_services' } as const;

/** `30080/tcp` */
export function portKey({ port, protocol }: Pick<NodePort, 'port' | 'protocol'>): string {
  return `${port}/${protocol}`;
}

/** What the ports of a service ask of the node. */
export function nodePortsOf(service: Service, backends: readonly { address: string; up: boolean }[]): NodePort[] {
  const { name, nodePort, ports, affinity } = service;
  if (nodePort === null) return [];
  const up = backends.filter((one) => one.up).map(({ address }) => address);
  return ports.map(({ protocol, target }) => ({ service: name, port: nodePort, protocol, target, affinity, backends: up }));
}

/** The whole table, and the comments of its rules, by which a table is known to be this one. */
export interface NodePortRules {
  text: string;
  comments: string[];
}

interface Rule {
  chain: 'ports' | 'closed' | 'back';
  match: string;
  comment: string;
}

/** nftables' rules: a new connection to a port is turned to one of its backends, where there is one, and refused, where there is none. What
 *  was turned leaves with an address of this node, so that the answer comes back here, wherever the backend is. Ports of loopback are
 *  left alone: what is sent from there cannot leave the node. */
export function nodePortRules(ports: readonly NodePort[], hash: Hash): NodePortRules {
  const { family, name } = nodePortTable;
  const cleared = `add table ${family} ${name}\ndelete table ${family} ${name}\n`;
  if (ports.length === 0) return { text: cleared, comments: [] };
  const rules = ports.flatMap((one) => [...families.map((of) => familyRule(one, of, hash)), backRule(one)]);
  const digest = hash(JSON.stringify(rules)).slice(0, 8);
  const comment = (about: string) => `${about} ${digest}`;
  const chain = (which: Rule['chain']) => [
    `  chain ${which} {`,
    ...rules.filter((one) => one.chain === which).map((rule) => `    ${rule.match} comment "${comment(rule.comment)}"`),
    '  }',
  ];
  const hooked = (which: string, hook: string, jumps: readonly string[]) => [
    `  chain ${which} {`,
    `    type ${hook};`,
    ...jumps.map((jump) => `    ${jump} comment "${comment(which)}"`),
    '  }',
  ];
  const toNode = ['ip daddr != 127.0.0.0/8', 'ip6 daddr != ::1'].map((beyond) => `${beyond} fib daddr type local`);
  const hooks: [string, string, string[]][] = [
    // before others who turn packets, Cilium's iptables rules among them
    ['prerouting', 'nat hook prerouting priority -110', toNode.map((match) => `${match} jump ports`)],
    ['output', 'nat hook output priority -110', toNode.map((match) => `${match} jump ports`)],
    ['input', 'filter hook input priority -10', toNode.map((match) => `${match} ct state new jump closed`)],
    ['postrouting', 'nat hook postrouting priority 90', ['ct status dnat jump back']],
  ];
  const lines = [
    `table ${family} ${name} {`,
    ...(['ports', 'closed', 'back'] as const).flatMap(chain),
    ...hooks.flatMap((one) => hooked(...one)),
    '}',
  ];
  return {
    text: `${cleared}${lines.join('\n')}\n`,
    comments: [...rules.map((rule) => comment(rule.comment)), ...hooks.flatMap(([which, , jumps]) => jumps.map(() => comment(which)))],
  };
}

/** Ports that a table with these comments serves. */
export function servedPorts(comments: readonly string[]): Set<string> {
  return new Set(comments.flatMap((comment) => /^\S+ (\d+\/(?:tcp|udp)) /.exec(comment)?.[1] ?? []));
}

const families = [
  { nfproto: 'ipv4', header: 'ip', isOf: (address: string) => !address.includes(':') },
  { nfproto: 'ipv6', header: 'ip6', isOf: (address: string) => address.includes(':') },
] as const;

function familyRule(one: NodePort, { nfproto, header, isOf }: (typeof families)[number], hash: Hash): Rule {
  const { port, protocol, target, affinity, service } = one;
  const backends = one.backends.filter(isOf);
  const match = `meta nfproto ${nfproto} ${protocol} dport ${port}`;
  const comment = `${service} ${portKey(one)} ${nfproto}`;
  if (backends.length === 0) return { chain: 'closed', match: `${match} reject${protocol === 'tcp' ? ' with tcp reset' : ''}`, comment };
  const slots = affinity === 'client' ? spread(backends, hash) : backends;
  const choice = affinity === 'client' ? `jhash ${header} saddr mod ${slots.length} seed ${seed}` : `numgen random mod ${slots.length}`;
  const map = slots.map((address, slot) => `${slot} : ${address}`).join(', ');
  return { chain: 'ports', match: `${match} dnat ${header} to ${choice} map { ${map} } : ${target}`, comment };
}

function backRule(one: NodePort): Rule {
  const match = `meta l4proto ${one.protocol} ct original proto-dst ${one.port} masquerade`;
  return { chain: 'back', match, comment: `${one.service} ${portKey(one)} back` };
}

/** A client's slot is the same on every node, and after every change. */
const seed = '0x70766563';
const slotCount = 128;

/** Slots of clients that stay: each slot goes to the backend that ranks highest for it, so that one that comes or goes changes no slots but
 *  its own (rendezvous hashing). */
function spread(backends: readonly string[], hash: Hash): string[] {
  return Array.from({ length: slotCount }, (_, slot) => {
    const ranked = backends.map((address) => ({ address, rank: hash(`${slot} ${address}`) }));
    return ranked.reduce((best, other) => (other.rank > best.rank ? other : best)).address;
  });
}
