import { InvalidArgumentError } from 'commander';
import { namePatterns } from '../model/name-patterns.ts';

/** Parsers of arguments: nothing that is not a name reaches a path. Commander turns what they throw into exit code 2. */

export function vmid(text: string): number {
  return Number(matching(text, namePatterns.vmid, 'must be a container number from 100 to 999999999'));
}

export function network(text: string): string {
  return matching(text, namePatterns.network, 'must be a name of letters, digits, "_", "." and "-" (63 at most)');
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

/** eth0=web */
export function interfaceOnNetwork(text: string): { name: string; network: string } {
  const at = text.indexOf('=');
  if (at < 0) throw new InvalidArgumentError('must be IFNAME=NETWORK, such as eth0=web.');
  return { name: ifname(text.slice(0, at)), network: network(text.slice(at + 1)) };
}

/** For options that may be given several times. */
export function collected(text: string, before: string[] = []): string[] {
  return [...before, text];
}

function matching(text: string, pattern: RegExp, rule: string): string {
  if (!pattern.test(text)) throw new InvalidArgumentError(`It ${rule}.`);
  return text;
}
