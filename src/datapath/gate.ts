import { Mutex } from 'async-mutex';
import type { Host } from '../host/host.ts';

/** A gate before a container's interface: until its policy is in force only ARP, neighbour and router discovery and DHCP pass, both ways.
 *  In the family `bridge`, by the host's end of the pair, so that it does not matter what the container calls itself. Where there is no
 *  such end yet, by its MAC, and by being a new pair of the node: root inside changes the MAC as soon as the link is there. */
export interface Gate {
  /** Name of a host interface, or a MAC: then whatever pair comes to be meanwhile waits as well, on any bridge. */
  close(what: string): Promise<void>;
  /** `port`: what was made behind a MAC */
  open(what: string, port?: string): Promise<void>;
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
  // lost with the service: what it was adding then is undone before anything else, while the rules stay
  const expected = new Map<string, string[]>();
  const write = (names: readonly string[]) => host.nft.apply(ruleset(names, [...expected.values()]));
  return {
    close: (name) =>
      lock.runExclusive(async () => {
        const names = await closed();
        if (name.includes(':'))
          expected.set(
            name,
            (await host.listLinks()).filter((link) => link.startsWith('veth')),
          );
        else if (names.includes(name)) return;
        await write([...new Set([...names, name])]);
      }),
    open: (name, port) =>
      lock.runExclusive(async () => {
        const names = await closed();
        expected.delete(name);
        for (const known of expected.values()) if (port) known.push(port);
        if (names.includes(name)) await write(names.filter((other) => other !== name));
      }),
    closed,
  };
}

/** Before the bridge forwards a frame, and after; what stands in the chain `from` names the interfaces by its rules' comments. */
function ruleset(names: readonly string[], expected: readonly (readonly string[])[]): string {
  const cleared = `add table ${family} ${table}\ndelete table ${family} ${table}\n`;
  if (names.length === 0) return cleared;
  const macs = names.filter((name) => name.includes(':'));
  const links = names.filter((name) => !name.includes(':')).map((name) => `"${name}"`);
  const jump = (match: string, list: readonly string[], to: string) =>
    list.length > 0 ? [`    ${match} { ${list.join(', ')} } jump ${to}`] : [];
  const news = (way: 'i' | 'o', to: string) =>
    expected.map((known) => {
      const others = known.length > 0 ? ` ${way}ifname != { ${known.map((name) => `"${name}"`).join(', ')} }` : '';
      return `    ${way}ifname "veth*"${others} jump ${to}`;
    });
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
    ...news('i', chain),
    '  }',
    '  chain out {',
    '    type filter hook postrouting priority 310;',
    ...jump('oifname', links, 'to'),
    ...jump('ether daddr', macs, 'to'),
    ...news('o', 'to'),
    '  }',
    '}',
  ];
  return `${cleared}${lines.join('\n')}\n`;
}
