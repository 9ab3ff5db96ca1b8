import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

/** Counters of a link since it was made, as the link itself sees them. */
export interface LinkCounters {
  receivedBytes: number;
  receivedPackets: number;
  receivedDrops: number;
  transmittedBytes: number;
  transmittedPackets: number;
  transmittedDrops: number;
}

const files = {
  receivedBytes: 'rx_bytes',
  receivedPackets: 'rx_packets',
  receivedDrops: 'rx_dropped',
  transmittedBytes: 'tx_bytes',
  transmittedPackets: 'tx_packets',
  transmittedDrops: 'tx_dropped',
} as const satisfies Record<keyof LinkCounters, string>;

/** Counters of a link in this network namespace; null when there is no such link.
 *  Source: Documentation/ABI/testing/sysfs-class-net-statistics. */
export async function readLinkCounters(link: string): Promise<LinkCounters | null> {
  // the name may come from a plugin's result: it must stay one path component
  if (!/^[^/\0\s]{1,15}$/.test(link) || link === '.' || link === '..') return null;
  try {
    const read = async (file: string) => Number(await readFile(`/sys/class/net/${link}/statistics/${file}`, 'utf8'));
    const entries = await Promise.all(Object.entries(files).map(async ([name, file]) => [name, await read(file)] as const));
    return Object.fromEntries(entries) as Record<keyof LinkCounters, number>;
  } catch {
    return null; // gone, or going while it was read
  }
}

/** The same of every link of this network namespace, in one read; what is not asked for is not parsed. */
export interface AllLinkCounters {
  get(link: string): LinkCounters | undefined;
}

/** Source: proc_pid_net(5), /proc/net/dev; what it calls drops counts what a link's driver missed, too. Synchronous: /proc waits for no disk. */
export function readAllLinkCounters(): AllLinkCounters {
  const lines = new Map<string, string>();
  for (const line of readNow('/proc/self/net/dev').split('\n')) {
    const at = line.lastIndexOf(':');
    if (at > 0) lines.set(line.slice(0, at).trimStart(), line.slice(at + 1));
  }
  return {
    get(link) {
      const line = lines.get(link);
      return line === undefined ? undefined : parse(line);
    },
  };
}

function parse(line: string): LinkCounters {
  const [rxBytes = 0, rxPackets = 0, , rxDrops = 0, , , , , txBytes = 0, txPackets = 0, , txDrops = 0] = line
    .trim()
    .split(/\s+/)
    .map(Number);
  return {
    receivedBytes: rxBytes,
    receivedPackets: rxPackets,
    receivedDrops: rxDrops,
    transmittedBytes: txBytes,
    transmittedPackets: txPackets,
    transmittedDrops: txDrops,
  };
}

function readNow(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
