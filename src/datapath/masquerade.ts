import { Mutex } from 'async-mutex';
import type { Host } from '../host/host.ts';

/** Our own table: one rule for each masqueraded subnet, named by its comment. The plugins' own masquerading is not used,
 *  since it stays behind when a container's namespace is gone before its DEL. */
const family = 'inet';
const table = 'pve_cni';
const chain = 'postrouting';

/** in a comment, before the subnet of a rule that keeps sources */
const asIs = 'as-is:';

/** What of a network is masqueraded, and when not. */
export interface MasqueradeSpec {
  network: string;
  /** CIDRs */
  masquerade: readonly string[];
  /** link by which they reach each other; a `*` at its end stands for anything */
  name: string;
  /** CIDRs that are reached as they are */
  except?: readonly string[];
  /** CIDRs that are reached by cilium_host, and whose containers are to see who it is: the agent's own rules would put the node's
   *  address in the place of everybody's outside of its range, and no policy would know a range of addresses any more */
  seenAsIs?: readonly string[];
}

export interface Masquerade {
  /** Puts a network's rules in force. Without `deep`, what this process put there itself is believed to be there still,
   *  so that a start asks nft nothing. Returns whether anything was changed. */
  apply(spec: MasqueradeSpec, options: { deep: boolean }): Promise<boolean>;
  /** Removes the rules of a network that is gone. */
  remove(network: string): Promise<void>;
  /** Networks that have rules now. */
  networks(): Promise<string[]>;
}

export function createMasquerade(host: Host): Masquerade {
  const known = new Map<string, string>();
  // the table is read, changed and written as a whole
  const lock = new Mutex();

  const comments = async () => (await host.nft.comments(family, table, chain)) ?? [];

  async function settle(network: string, wanted: readonly string[]): Promise<boolean> {
    const all = await comments();
    const present = all.filter((comment) => networkOf(comment) === network);
    const changed = present.join('\n') !== wanted.join('\n');
    if (changed) await host.nft.apply(ruleset([...all.filter((comment) => !present.includes(comment)), ...wanted]));
    known.set(network, wanted.join('\n'));
    return changed;
  }

  return {
    async apply(spec, { deep }) {
      const wanted = [
        ...spec.masquerade.map((cidr) => [spec.network, cidr, spec.name, ...exceptOf(spec, cidr)].join(' ')),
        ...(spec.seenAsIs ?? []).map((cidr) => `${spec.network} ${asIs}${cidr}`),
      ];
      if (!deep && (known.get(spec.network) ?? '') === wanted.join('\n')) return false;
      const changed = await lock.runExclusive(() => settle(spec.network, wanted));
      if (wanted.some((comment) => !isIpv6(comment))) await host.ensureForwarding('ipv4');
      if (wanted.some(isIpv6)) await host.ensureForwarding('ipv6');
      return changed;
    },
    async remove(network) {
      await lock.runExclusive(() => settle(network, []));
      known.delete(network);
    },
    async networks() {
      return [...new Set((await comments()).map(networkOf))];
    },
  };
}

/** The whole table in one transaction; a comment carries all that its rule says. Before iptables' rules, which the agent has: the first that
 *  decides about a connection's source is the only one. */
function ruleset(comments: readonly string[]): string {
  const rules = comments.map((comment) => {
    const [, cidr = '', link = '', ...except] = comment.split(' ');
    const family = isIpv6(comment) ? 'ip6' : 'ip';
    if (cidr.startsWith(asIs))
      return `    oifname "cilium_host" ${family} daddr ${cidr.slice(asIs.length)} snat ${family} to ${family} saddr comment "${comment}"\n`;
    const elsewhere = except.length > 0 ? ` ${family} daddr != { ${except.join(', ')} }` : '';
    return `    ${family} saddr ${cidr}${elsewhere} oifname != "${link}" masquerade comment "${comment}"\n`;
  });
  const remade = `table ${family} ${table} {\n  chain ${chain} {\n    type nat hook postrouting priority srcnat - 1;\n${rules.join('')}  }\n}\n`;
  return `add table ${family} ${table}\ndelete table ${family} ${table}\n${rules.length > 0 ? remade : ''}`;
}

/** of the same family */
function exceptOf({ except = [] }: MasqueradeSpec, cidr: string): string[] {
  return except.filter((other) => other.includes(':') === cidr.includes(':'));
}

function networkOf(comment: string): string {
  return comment.split(' ')[0] ?? '';
}

function isIpv6(comment: string): boolean {
  return comment.replace(asIs, '').includes(':');
}
