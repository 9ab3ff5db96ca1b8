/** What Cilium 1.20 keeps in the kernel, as `cilium-dbg bpf …` prints it. Each function gives null for a print that it does not know. */

export interface EndpointEntry {
  address: string;
  /** null: the host itself */
  endpoint: number | null;
  identity: number;
  ifindex: number | null;
  mac: string;
  hostMac: string;
}

export interface IpcacheEntry {
  prefix: string;
  identity: number;
  /** address of the node that has it; '' on this one and for the world */
  tunnel: string;
  /** 0: not encrypted */
  encryptKey: number;
  flags: string[];
}

export interface ConnectionEntry {
  protocol: string;
  direction: 'in' | 'out' | 'service';
  from: { address: string; port: number };
  to: { address: string; port: number };
  /** an ICMP error of another connection */
  related: boolean;
  /** seconds since the host was booted */
  expires: number;
  packets: number;
  bytes: number;
  flags: string[];
  /** of who began it */
  identity: number;
}

export interface ServiceEntry {
  address: string;
  /** 0: all other ports, which go nowhere */
  port: number;
  protocol: string;
  flags: string[];
  backends: { address: string; port: number; protocol: string }[];
}

/** `bpf endpoint list -o json`, one pair */
export function endpointEntry(key: string, [value = '']: readonly string[]): EndpointEntry | null {
  const at = socketOf(key);
  if (!at) return null;
  const { address } = at;
  if (value === '(localhost)') return { address, endpoint: null, identity: 1, ifindex: null, mac: '', hostMac: '' };
  const found = /^id=(\d+)\s+sec_id=(\d+)\s+flags=\S+\s+ifindex=(\d+)\s+mac=(\S+)\s+nodemac=(\S+)/.exec(value);
  if (!found) return null;
  const [, id, identity, ifindex, mac = '', hostMac = ''] = found;
  return { address, endpoint: Number(id), identity: Number(identity), ifindex: Number(ifindex), mac, hostMac };
}

/** `bpf ipcache list -o json`, one pair */
export function ipcacheEntry(prefix: string, [value = '']: readonly string[]): IpcacheEntry | null {
  const found = /^identity=(\d+)\s+encryptkey=(\d+)\s+tunnelendpoint=(\S*)\s+flags=(.*)$/.exec(value.trim());
  if (!found) return null;
  const [, identity, encryptKey, tunnel = '', flags = ''] = found;
  return {
    prefix,
    identity: Number(identity),
    tunnel: /^(0\.0\.0\.0|::|<nil>)$/.test(tunnel) ? '' : tunnel,
    encryptKey: Number(encryptKey),
    flags: flags === '<none>' ? [] : flags.split(/[,|\s]+/).filter(Boolean),
  };
}

const directions: Record<string, ConnectionEntry['direction']> = { IN: 'in', OUT: 'out', SVC: 'service' };

/** `bpf ct list global`, one line: its JSON takes four times the room, and has ports in the order of the network's bytes. By words, not by
 *  one expression: a line that is none must not take long. */
export function connectionEntry(line: string): ConnectionEntry | null {
  const [protocol = '', way = '', first = '', arrow, second = '', ...rest] = line.trim().split(' ');
  const [direction, from, to] = [directions[way], socketOf(first), socketOf(second)];
  if (!direction || !from || !to || arrow !== '->') return null;
  const facts = new Map(rest.map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]));
  const numberOf = (name: string) => (/^\d+$/.test(facts.get(name) ?? '') ? Number(facts.get(name)) : null);
  const [expires, identity] = [numberOf('expires'), numberOf('SourceSecurityID')];
  if (expires === null || identity === null) return null;
  const [open, close] = [rest.indexOf('['), rest.indexOf(']')];
  return {
    protocol,
    direction,
    from,
    to,
    related: rest[0] === 'related',
    expires,
    packets: numberOf('Packets') ?? 0,
    bytes: numberOf('Bytes') ?? 0,
    flags: open < 0 ? [] : rest.slice(open + 1, close).filter(Boolean),
    identity,
  };
}

/** `bpf lb list -o json`: a service is its slot 0 and one slot for each backend. */
export function serviceEntries(pairs: Readonly<Record<string, readonly string[]>>): ServiceEntry[] | null {
  const services = new Map<string, ServiceEntry>();
  const keys = Object.keys(pairs).map((key) => ({ key, found: /^(\S+)\/(\S+) \((\d+)\)/.exec(key) }));
  if (keys.some(({ found }) => !found)) return null;
  for (const { key, found } of keys.sort((one, other) => Number(one.found?.[3]) - Number(other.found?.[3]))) {
    const [, socket = '', protocol = '', slot] = found ?? [];
    const at = socketOf(socket);
    if (!at) return null;
    const name = `${socket}/${protocol}`;
    const service = services.get(name) ?? { ...at, protocol, flags: [], backends: [] };
    services.set(name, service);
    for (const value of pairs[key] ?? []) {
      const flags = /\[([^\]]*)\]\s*$/.exec(value)?.[1];
      const backend = /^(\S+)\/(\S+) \(/.exec(value);
      if (slot === '0') service.flags = flags?.split(', ').filter(Boolean) ?? [];
      else if (backend) {
        const to = socketOf(backend[1] ?? '');
        if (to) service.backends.push({ ...to, protocol: backend[2] ?? '' });
      }
    }
  }
  return [...services.values()];
}

/** 10.0.0.1:80 and [fd00::1]:80 */
function socketOf(text: string): { address: string; port: number } | null {
  const at = text.lastIndexOf(':');
  const port = Number(text.slice(at + 1));
  return at > 0 && Number.isInteger(port) ? { address: withoutBrackets(text.slice(0, at)), port } : null;
}

function withoutBrackets(text: string): string {
  return text.replace(/^\[|\]$/g, '');
}
