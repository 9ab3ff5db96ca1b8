import type { Subnet } from '../model/network.ts';
import { type Cidr, formatIp, parseCidr, parseIp } from './ip.ts';

/** Addresses that are not free, in canonical text. A Set does. With `size` and an iterator, a large IPv4 subnet that is
 *  (nearly) full is decided in one pass over them. */
export interface Taken {
  has(address: string): boolean;
  readonly size?: number;
  [Symbol.iterator]?(): Iterator<string>;
}

/** What a subnet can give to containers: `first` to `last`, without `gateway`. Empty when `first > last`. */
export interface UsableRange {
  family: 4 | 6;
  first: bigint;
  last: bigint;
  /** only when it lies between first and last */
  gateway: bigint | null;
}

/** What of a subnet may be given: not the network and broadcast address of IPv4 (RFC 919, RFC 950; both are hosts in a
 *  /31, RFC 3021), not the subnet-router anycast address of IPv6 (RFC 4291 section 2.6.1; a host in a /127, RFC 6164),
 *  not the gateway, and nothing outside `range`. */
export function usableRange(subnet: Subnet): UsableRange {
  const { family, first, last } = hosts(subnet);
  const [from, to] = (subnet.range ?? '-').split('-').map(parseIp);
  const low = from?.family === family && from.value > first ? from.value : first;
  const high = to?.family === family && to.value < last ? to.value : last;
  const gateway = subnet.gateway === undefined ? null : (parseIp(subnet.gateway)?.value ?? null);
  return { family, first: low, last: high, gateway: gateway !== null && low <= gateway && gateway <= high ? gateway : null };
}

/** How many addresses a subnet can give, free or not. */
export function capacity(subnet: Subnet): bigint {
  const { first, last, gateway } = usableRange(subnet);
  return first > last ? 0n : last - first + 1n - (gateway === null ? 0n : 1n);
}

/** Whether an address lies in a subnet, usable or not. */
export function subnetContains(subnet: Pick<Subnet, 'cidr'>, address: string): boolean {
  const ip = parseIp(address);
  const { family, first, last } = cidrOf(subnet);
  return ip !== null && ip.family === family && first <= ip.value && ip.value <= last;
}

/** Whether a container may have this address when somebody asks for it: as `usableRange`, but `range` only limits what
 *  is given by itself. */
export function isUsable(subnet: Subnet, address: string): boolean {
  const ip = parseIp(address);
  const { family, first, last, gateway } = usableRange({ cidr: subnet.cidr, ...(subnet.gateway && { gateway: subnet.gateway }) });
  return ip !== null && ip.family === family && first <= ip.value && ip.value <= last && ip.value !== gateway;
}

export function subnetsOverlap(one: Pick<Subnet, 'cidr'>, other: Pick<Subnet, 'cidr'>): boolean {
  const [a, b] = [cidrOf(one), cidrOf(other)];
  return a.family === b.family && a.first <= b.last && b.first <= a.last;
}

/** 4 or 6 */
export function familyOf(subnet: Pick<Subnet, 'cidr'>): 4 | 6 {
  return cidrOf(subnet).family;
}

/** The lowest free address of a subnet in canonical text, null when all are taken. Nothing below `hint` is looked at:
 *  the caller knows that it is taken. */
export function chooseAddress(subnet: Subnet, taken: Taken, hint?: string): string | null {
  const { family, first, last, gateway } = usableRange(subnet);
  const from = hint === undefined ? null : parseIp(hint);
  const low = from?.family === family && from.value > first ? from.value : first;
  if (low > last) return null;
  if (family === 4 && (taken.size ?? 0) > scanLimit && taken[Symbol.iterator])
    return lowestUnmarked(Number(low), Number(last), gateway === null ? -1 : Number(gateway), taken as Iterable<string>);
  return lowestByAsking(family, low, last, gateway, taken);
}

/** With more than this taken, marking them all is quicker than making the text of each candidate. */
const scanLimit = 4096;

/** One pass over what is taken, one over the marks: a full /16 costs 65,536 small parses and no strings. */
function lowestUnmarked(first: number, last: number, gateway: number, taken: Iterable<string>): string | null {
  // marks stay small in a /8
  const marks = new Uint8Array(Math.min(last - first + 1, markLimit));
  if (gateway >= first && gateway - first < marks.length) marks[gateway - first] = 1;
  const offsetOf = offsetsFrom(first, last);
  for (const address of taken) {
    const offset = offsetOf(address);
    if (offset >= 0 && offset < marks.length) marks[offset] = 1;
  }
  const free = marks.indexOf(0);
  if (free >= 0) return formatIp({ family: 4, value: BigInt(first + free) });
  return first + marks.length > last ? null : lowestUnmarked(first + marks.length, last, gateway, taken);
}

const markLimit = 2 ** 20;

/** Distance of canonical dotted decimals from `first`; negative or beyond `last` for addresses outside. The octets that
 *  all addresses from first to last share are compared, only the others are parsed: some 30 nanoseconds each. */
function offsetsFrom(first: number, last: number): (address: string) => number {
  const [low, high] = [first, last].map((value) => formatIp({ family: 4, value: BigInt(value) }).split('.')) as [string[], string[]];
  const differing = low.findIndex((octet, index) => octet !== high[index]);
  const shared = low.slice(0, differing < 0 ? 3 : differing);
  const prefix = shared.map((octet) => `${octet}.`).join('');
  const start = shared.reduce((value, octet) => (value << 8) | Number(octet), 0);
  return (address) => {
    if (!address.startsWith(prefix)) return -1;
    let value = start;
    let octet = 0;
    for (let index = prefix.length; index < address.length; index++) {
      const digit = address.charCodeAt(index) - 48;
      if (digit >= 0 && digit <= 9) octet = octet * 10 + digit;
      else if (digit === -2) {
        value = (value << 8) | octet;
        octet = 0;
      } else return -1;
    }
    return (((value << 8) | octet) >>> 0) - first;
  };
}

/** Asks for one candidate after the other. Candidates of a block differ in their last group only, so that a block's
 *  text is made once; bigints and compression are slow. */
function lowestByAsking(family: 4 | 6, first: bigint, last: bigint, gateway: bigint | null, taken: Taken): string | null {
  const { mask, base, separator } = family === 4 ? { mask: 255n, base: 10, separator: '.' } : { mask: 65535n, base: 16, separator: ':' };
  for (let block = first & ~mask; block <= last; block += mask + 1n) {
    const sample = formatIp({ family, value: block + 1n });
    // the last group of the sample is not zero, so no later one of the block changes how the others are compressed
    const prefix = sample.slice(0, sample.lastIndexOf(separator) + 1);
    const from = block < first ? Number(first - block) : 0;
    const to = last - block < mask ? Number(last - block) : Number(mask);
    const skip = gateway !== null && (gateway & ~mask) === block ? Number(gateway - block) : -1;
    for (let group = from; group <= to; group++) {
      if (group === skip) continue;
      const address = group === 0 ? formatIp({ family, value: block }) : prefix + group.toString(base);
      if (!taken.has(address)) return address;
    }
  }
  return null;
}

function hosts(subnet: Pick<Subnet, 'cidr'>): { family: 4 | 6; first: bigint; last: bigint } {
  const { family, prefix, first, last } = cidrOf(subnet);
  if (family === 4) return prefix >= 31 ? { family, first, last } : { family, first: first + 1n, last: last - 1n };
  return prefix >= 127 ? { family, first, last } : { family, first: first + 1n, last };
}

/** Subnets come from validated configuration; anything else is a defect. */
function cidrOf({ cidr }: Pick<Subnet, 'cidr'>): Cidr {
  const parsed = parseCidr(cidr);
  if (!parsed) throw new TypeError(`"${cidr}" is not a CIDR`);
  return parsed;
}
