import { IPv4, IPv6 } from 'ip-num';

/** An address as a number of its family. */
export interface Ip {
  family: 4 | 6;
  value: bigint;
}

/** All addresses of a CIDR, first and last included. */
export interface Cidr {
  family: 4 | 6;
  prefix: number;
  first: bigint;
  last: bigint;
}

/** Parses the text forms of RFC 4291 section 2.2 (IPv6) and dotted decimals (IPv4); null for anything else, zones
 *  (`%eth0`) included. */
export function parseIp(text: string): Ip | null {
  if (!/^[0-9a-fA-F.:]{2,45}$/.test(text)) return null;
  try {
    return text.includes(':') ? { family: 6, value: IPv6.fromString(text).value } : { family: 4, value: IPv4.fromString(text).value };
  } catch {
    return null;
  }
}

/** Canonical text: dotted decimals, or RFC 5952 (lower case, the first longest run of zeros compressed, never one alone). */
export function formatIp({ family, value }: Ip): string {
  return family === 4 ? formatIpv4(Number(value)) : formatIpv6(value);
}

/** Canonical text of an address, null when it is none. */
export function canonicalIp(text: string): string | null {
  const ip = parseIp(text);
  return ip && formatIp(ip);
}

/** Parses ADDRESS/LENGTH (RFC 4632 section 3.1, RFC 4291 section 2.3); bits behind the prefix may be set. */
export function parseCidr(text: string): Cidr | null {
  const [address = '', length = '', ...rest] = text.split('/');
  const ip = parseIp(address);
  const prefix = /^(0|[1-9][0-9]{0,2})$/.test(length) ? Number(length) : Number.NaN;
  const bits = ip?.family === 4 ? 32 : 128;
  if (!ip || rest.length > 0 || !(prefix <= bits)) return null;
  const hostBits = BigInt(bits - prefix);
  const first = (ip.value >> hostBits) << hostBits;
  return { family: ip.family, prefix, first, last: first + (1n << hostBits) - 1n };
}

function formatIpv4(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

function formatIpv6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, index) => Number((value >> BigInt(112 - 16 * index)) & 0xffffn));
  const zeros = longestZeros(groups);
  const text = (part: number[]) => part.map((group) => group.toString(16)).join(':');
  if (zeros.length < 2) return text(groups);
  return `${text(groups.slice(0, zeros.start))}::${text(groups.slice(zeros.start + zeros.length))}`;
}

function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let longest = { start: 0, length: 0 };
  let start = 0;
  groups.forEach((group, index) => {
    if (group !== 0) start = index + 1;
    else if (index + 1 - start > longest.length) longest = { start, length: index + 1 - start };
  });
  return longest;
}
