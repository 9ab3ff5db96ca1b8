import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { InvalidArgumentError } from 'commander';
import type { LabelChange } from '../model/labels.ts';
import { namePatterns } from '../model/name-patterns.ts';

/** Parsers of arguments: nothing that is not a name reaches a path. Commander turns what they throw into exit code 2. */

export function vmid(text: string): number {
  return Number(matching(text, namePatterns.vmid, 'must be a container number from 100 to 999999999'));
}

export function network(text: string): string {
  return matching(text, namePatterns.network, 'must be a name of letters, digits, "_", "." and "-" (63 at most)');
}

export function service(text: string): string {
  return matching(text, namePatterns.service, 'must be a name of lower-case letters, digits and "-" (63 at most)');
}

export function policy(text: string): string {
  return matching(text, namePatterns.policy, 'must be the name of a policy, see `pve-cni policy list`');
}

export function ifname(text: string): string {
  return matching(text, namePatterns.ifname, 'must be a Linux interface name of at most 15 characters');
}

export function operationId(text: string): string {
  return matching(text, namePatterns.operation, 'must be the id of an operation, see `pve-cni operation list`');
}

export function limit(text: string): number {
  return Number(matching(text, /^[1-9][0-9]{0,3}$/, 'must be a number from 1 to 9999'));
}

export function port(text: string): number {
  const number = Number(matching(text, /^[0-9]{1,5}$/, 'must be a port from 0 to 65535'));
  if (number > 65_535) throw new InvalidArgumentError('It must be a port from 0 to 65535.');
  return number;
}

export function containerOrName(text: string): string {
  return matching(text, /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/, 'must be the number or name of a container');
}

/** A file as it was given, and what it holds. */
export interface TextFile {
  /** - is stdin */
  file: string;
  text: string;
}

/** Text of a file. @throws InvalidArgumentError, which is exit code 2 */
export function textFile(file: string): TextFile {
  try {
    return { file, text: readFileSync(file === '-' ? 0 : file, 'utf8') };
  } catch (error) {
    throw new InvalidArgumentError(`It cannot be read: ${(error as Error).message}.`);
  }
}

/** What an object is called whose file is applied: its option, the name that CNI's JSON says, or the file's stem. */
export function nameOf({ file, text }: TextFile, given: string | undefined, check: (name: string) => string): string {
  return given ?? check(nameIn(text) ?? basename(file).replace(/\.[^.]*$/, ''));
}

function nameIn(text: string): string | null {
  try {
    const { name } = JSON.parse(text) as { name?: unknown };
    return typeof name === 'string' ? name : null;
  } catch {
    return null;
  }
}

/** One end of a connection: a container, world, host, or an address; which of them is up to the service. */
export function connectionEnd(text: string): string {
  return matching(text, /^[0-9A-Za-z.:]{1,45}$/, 'must be the number of a container, world, host, or an address');
}

/** tcp/5432, udp/53, icmp */
export function protocolAndPort(text: string): { protocol: string; port: string | undefined } {
  const [, protocol = '', port] = /^(tcp|udp|icmp|icmpv6)(?:\/([0-9]{1,5}))?$/.exec(text) ?? [];
  if (protocol === '' || (port === undefined && !protocol.startsWith('icmp')))
    throw new InvalidArgumentError('It must be tcp/PORT, udp/PORT, icmp or icmpv6, such as tcp/5432.');
  return { protocol, port };
}

/** Some of these words, with commas between. */
export function words(allowed: readonly string[]): (text: string) => string {
  return (text) => {
    if (text.split(',').every((word) => allowed.includes(word))) return text;
    throw new InvalidArgumentError(`It must be some of ${allowed.join(', ')}, with commas between.`);
  };
}

const unitMs: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A time ago (30s, 10m, 2h, 7d) or a moment, as ISO-8601 in UTC. */
export function moment(text: string): string {
  const [, count, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const ms = count === undefined ? Date.parse(text) : Date.now() - Number(count) * (unitMs[unit] ?? 0);
  if (Number.isNaN(ms) || (count === undefined && !/^\d{4}-/.test(text)))
    throw new InvalidArgumentError('It must be a time ago such as 30s, 10m, 2h or 7d, or a moment such as 2026-11-24T09:15:00Z.');
  return new Date(ms).toISOString();
}

/** eth0=web */
export function interfaceOnNetwork(text: string): { name: string; network: string } {
  const at = text.indexOf('=');
  if (at < 0) throw new InvalidArgumentError('must be IFNAME=NETWORK, such as eth0=web.');
  return { name: ifname(text.slice(0, at)), network: network(text.slice(at + 1)) };
}

/** app=web sets a label, app- removes it; what labels may be is up to the service */
export function labelChange(text: string, before: LabelChange = { set: {}, remove: [] }): LabelChange {
  const at = text.indexOf('=');
  if (at > 0) return { ...before, set: { ...before.set, [text.slice(0, at)]: text.slice(at + 1) } };
  if (at < 0 && text.length > 1 && text.endsWith('-')) return { ...before, remove: [...before.remove, text.slice(0, -1)] };
  throw new InvalidArgumentError('must be KEY=VALUE to set a label, or KEY- to remove it.');
}

/** For options that may be given several times. */
export function collected(text: string, before: string[] = []): string[] {
  return [...before, text];
}

function matching(text: string, pattern: RegExp, rule: string): string {
  if (!pattern.test(text)) throw new InvalidArgumentError(`It ${rule}.`);
  return text;
}
