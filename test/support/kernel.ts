import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { execa } from 'execa';

/** What a test may not leave changed, one fact a line: links, addresses, routes, rules, nftables, iptables, pinned
 *  namespaces, forwarding. Of the calling process' network namespace. */
export type KernelState = string[];

/** Counters, handles, lifetimes and indexes are left out: they change without anybody changing anything. So are IPv6's
 *  link-local addresses and their routes: the kernel makes them a second or two after a link's carrier comes. */
export async function snapshotKernel(): Promise<KernelState> {
  const facts = await Promise.all([links(), routes(), nftables(), iptables(), pins(), forwarding()]);
  return facts.flat().sort();
}

/** @throws AssertionError that lists what came and what went. `ignore`: lines that others on the machine may change. */
export async function assertKernelUnchanged(before: KernelState, options: { ignore?: RegExp } = {}): Promise<void> {
  const after = await snapshotKernel();
  const counted = (state: KernelState) => (options.ignore ? state.filter((line) => !options.ignore?.test(line)) : state);
  const came = without(counted(after), before).map((line) => `+ ${line}`);
  const went = without(counted(before), after).map((line) => `- ${line}`);
  assert.deepEqual([...came, ...went], [], 'kernel state is not what it was before');
}

function without(list: string[], other: string[]): string[] {
  const known = new Set(other);
  return list.filter((line) => !known.has(line));
}

type Json = Record<string, unknown>;

async function json(argv: string[]): Promise<Json[]> {
  const { stdout } = await execa(argv[0] ?? '', argv.slice(1));
  return stdout.trim() === '' ? [] : JSON.parse(stdout);
}

async function links(): Promise<string[]> {
  const list = await json(['ip', '-json', '-details', 'address', 'show']);
  return list.flatMap((link) => {
    const kind = (link.linkinfo as Json | undefined)?.info_kind ?? '';
    const up = (link.flags as string[]).includes('UP') ? 'up' : 'down';
    const addresses = ((link.addr_info ?? []) as Json[]).filter(({ local }) => !isLinkLocal(String(local)));
    return [
      `link ${link.ifname} ${kind} ${up} mtu ${link.mtu} master ${link.master ?? ''} alias ${link.ifalias ?? ''}`,
      ...addresses.map((one) => `address ${link.ifname} ${one.local}/${one.prefixlen}`),
    ];
  });
}

async function routes(): Promise<string[]> {
  const families = ['-4', '-6'];
  const lists = families.flatMap((family) => [
    execa('ip', [family, 'route', 'show', 'table', 'all']).then(({ stdout }) => lines(`route ${family}`, stdout)),
    execa('ip', [family, 'rule', 'show']).then(({ stdout }) => lines(`rule ${family}`, stdout)),
  ]);
  return (await Promise.all(lists)).flat();
}

function lines(subject: string, text: string): string[] {
  const steady = text.replace(/ (expires \d+sec|linkdown|dead)/g, '');
  return steady.split('\n').flatMap((line) => (line.trim() && !isLinkLocal(line) ? [`${subject} ${line.trim()}`] : []));
}

/** Of an address, or of a route to such addresses. */
function isLinkLocal(text: string): boolean {
  return /^((local|anycast|multicast) )?fe80:/.test(text);
}

async function nftables(): Promise<string[]> {
  const { nftables: objects } = JSON.parse((await execa('nft', ['-j', 'list', 'ruleset'])).stdout) as { nftables: Json[] };
  return objects.flatMap((one) => ('metainfo' in one ? [] : [`nft ${JSON.stringify(one, dropVolatile)}`]));
}

function dropVolatile(key: string, value: unknown): unknown {
  return ['handle', 'packets', 'bytes', 'index', 'expires'].includes(key) ? undefined : value;
}

async function iptables(): Promise<string[]> {
  const texts = await Promise.all(
    ['iptables-save', 'ip6tables-save'].map(async (tool) => {
      const { stdout } = await execa(tool);
      let table = '';
      return stdout.split('\n').flatMap((line) => {
        if (line.startsWith('*')) table = line;
        return /^[:-]/.test(line) ? [`${tool} ${table} ${line.replace(/ \[\d+:\d+\]/, '')}`] : [];
      });
    }),
  );
  return texts.flat();
}

async function pins(): Promise<string[]> {
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').filter((line) => line.includes(' - nsfs '));
  const names = await readdir('/run/netns').catch(() => []);
  return [...mounts.map((line) => `mount nsfs ${line.split(' ')[4]}`), ...names.map((name) => `netns ${name}`)];
}

async function forwarding(): Promise<string[]> {
  const files = ['ipv4/ip_forward', 'ipv4/conf/all/forwarding', 'ipv6/conf/all/forwarding', 'bridge/bridge-nf-call-iptables'];
  return Promise.all(
    files.map(async (file) => `sysctl ${file} ${(await readFile(`/proc/sys/net/${file}`, 'utf8').catch(() => '-')).trim()}`),
  );
}
