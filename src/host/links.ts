import { existsSync, readFileSync } from 'node:fs';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { basename } from 'node:path';

/** A network interface of the host, read from sysfs: no process is started. */
export interface Link {
  name: string;
  mtuBytes: number;
  up: boolean;
  isBridge: boolean;
  mac: string;
  /** whether somebody gave it its MAC: a bridge's own changes with its ports otherwise */
  macSet: boolean;
  /** free text that `ip link set alias` gives; ours begin with "pve-cni:" */
  alias: string;
}

const root = '/sys/class/net';

export async function readLink(name: string): Promise<Link | null> {
  const read = (attribute: string) => readNow(`${root}/${name}/${attribute}`);
  const [mtu, flags] = [read('mtu'), read('flags')];
  if (!mtu || !flags) return null;
  return {
    name,
    mtuBytes: Number(mtu),
    up: (Number(flags) & 1) === 1,
    isBridge: existsSync(`${root}/${name}/bridge`),
    mac: read('address') ?? '',
    // NET_ADDR_SET (linux/netdevice.h)
    macSet: read('addr_assign_type') === '3',
    alias: read('ifalias') ?? '',
  };
}

/** MTU of a link, which is all that a list of a thousand asks of each; null: there is no such link. */
export function linkMtu(name: string): number | null {
  const mtu = readNow(`${root}/${name}/mtu`);
  return mtu === null ? null : Number(mtu);
}

export async function listLinks(): Promise<string[]> {
  return readdir(root).catch(() => []);
}

/** Ports of a bridge. */
export async function portsOf(bridge: string): Promise<string[]> {
  return readdir(`${root}/${bridge}/brif`).catch(() => []);
}

/** The bridge or bond that a link is a port of; null: of none. */
export async function masterOf(name: string): Promise<string | null> {
  const target = await readlink(`${root}/${name}/master`).catch(() => null);
  return target && basename(target);
}

/** Name of the link of this number; null: there is none. */
export async function linkByIndex(index: number): Promise<string | null> {
  return (await listLinks()).find((name) => readNow(`${root}/${name}/ifindex`) === String(index)) ?? null;
}

/** Addresses of this network namespace that packets are accepted for: IPv4 in canonical text, IPv6 as eight groups. IPv4 from /proc/net/fib_trie,
 *  IPv6 from /proc/net/if_inet6: a few hundred microseconds where `ip -j addr` costs 8 ms. */
export async function localAddresses(): Promise<{ ipv4: Set<string>; ipv6: { address: string; link: string }[] }> {
  const [trie, inet6] = await Promise.all([read('/proc/self/net/fib_trie'), read('/proc/self/net/if_inet6')]);
  const ipv4 = new Set<string>();
  let last = '';
  for (const line of trie?.split('\n') ?? []) {
    const leaf = /\|-- (\S+)/.exec(line);
    if (leaf?.[1]) last = leaf[1];
    else if (line.includes('/32 host LOCAL')) ipv4.add(last);
  }
  const ipv6 = (inet6 ?? '').split('\n').flatMap((line) => {
    const [hex, , , , , link] = line.trim().split(/\s+/);
    return hex?.length === 32 && link ? [{ address: hex.match(/.{4}/g)?.join(':') ?? '', link }] : [];
  });
  return { ipv4, ipv6 };
}

async function read(path: string): Promise<string | null> {
  return (await readFile(path, 'utf8').catch(() => null))?.trim() ?? null;
}

/** sysfs waits for no disk, and a hop to the thread pool costs ten times the call. */
function readNow(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return null;
  }
}
