import { Mutex } from 'async-mutex';
import type { Host } from '../host/host.ts';

/** A gate before a container's interface: until its policy is in force only ARP, neighbour and router discovery and DHCP pass, both ways.
 *  In the family `bridge`, by the host's end of the pair, so that it does not matter what the container calls itself; by its MAC where
 *  there is no such end yet. */
export interface Gate {
  /** name of a host interface, or a MAC */
  close(what: string): Promise<void>;
  open(what: string): Promise<void>;
  /** what is gated now */
  closed(): Promise<string[]>;
}

const family = 'bridge';
const table = 'pve_cni_gate';
const chain = 'from';

/** What passes: both ways, out of the container as a client asks, and into it as routers and DHCP servers answer; never the other way. */
const passes = {
  both: ['ether type arp accept', 'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept'],
  from: ['icmpv6 type nd-router-solicit accept', 'udp sport 68 udp dport 67 accept', 'udp sport 546 udp dport 547 accept'],
  to: ['icmpv6 type nd-router-advert accept', 'udp sport 67 udp dport 68 accept', 'udp sport 547 udp dport 546 accept'],
};

export function createGate(host: Host): Gate {
  // the table is read, changed and written as a whole; it is there only while a gate is closed
  const lock = new Mutex();
  const closed = async () => (await host.nft.comments(family, table, chain)) ?? [];
  const write = (names: readonly string[]) => host.nft.apply(ruleset(names));
  return {
    close: (name) =>
      lock.runExclusive(async () => {
        const names = await closed();
        if (!names.includes(name)) await write([...names, name]);
      }),
    open: (name) =>
      lock.runExclusive(async () => {
        const names = await closed();
        if (names.includes(name)) await write(names.filter((other) => other !== name));
      }),
    closed,
  };
}

/** Before the bridge forwards a frame, and after; what stands in the chain `from` names the interfaces by its rules' comments. */
function ruleset(names: readonly string[]): string {
  const cleared = `add table ${family} ${table}\ndelete table ${family} ${table}\n`;
  if (names.length === 0) return cleared;
  const macs = names.filter((name) => name.includes(':'));
  const links = names.filter((name) => !name.includes(':')).map((name) => `"${name}"`);
  const jump = (match: string, list: readonly string[], to: string) =>
    list.length > 0 ? [`    ${match} { ${list.join(', ')} } jump ${to}`] : [];
  const lines = [
    `table ${family} ${table} {`,
    `  chain ${chain} {`,
    ...[...passes.both, ...passes.from].map((rule) => `    ${rule}`),
    ...names.map((name) => `    counter drop comment "${name}"`),
    '  }',
    '  chain to {',
    ...[...passes.both, ...passes.to].map((rule) => `    ${rule}`),
    '    counter drop',
    '  }',
    '  chain in {',
    '    type filter hook prerouting priority -310;',
    ...jump('iifname', links, chain),
    ...jump('ether saddr', macs, chain),
    '  }',
    '  chain out {',
    '    type filter hook postrouting priority 310;',
    ...jump('oifname', links, 'to'),
    ...jump('ether daddr', macs, 'to'),
    '  }',
    '}',
  ];
  return `${cleared}${lines.join('\n')}\n`;
}
