import { createHash } from 'node:crypto';
import { type Execute, execute } from '../host/execute.ts';
import type { CniAttachment } from '../model/cni.ts';
import { failure } from '../model/errors.ts';
import { redactOutput } from './redact.ts';
import { toolPath } from './request.ts';
import type { CachedAttachment, RuntimeOptions } from './runtime.ts';

const families = ['iptables', 'ip6tables'] as const;
const nftTable = ['inet', 'cni_plugins_masquerade'] as const;

/** After DEL: removes the masquerade rules that plugins with `ipMasq` leave when the namespace, or the interface in it,
 *  was gone (reference plugins 1.1.1 to 1.9.1: they take the addresses to clean up for from there). Names and comments
 *  are those of containernetworking/plugins, pkg/ip/ipmasq_*. Finding nothing is a success.
 *  @throws InterfaceError TOOL_FAILED */
export async function removeLeftovers(
  options: RuntimeOptions,
  attachment: CniAttachment,
  siblings: () => Promise<CachedAttachment[]>,
): Promise<void> {
  if (!attachment.conflist.plugins.some((plugin) => plugin.ipMasq === true)) return;
  await options.trace('leftovers:masquerade', async () => {
    // iptables' chain is named after network and container only: rules of its other interfaces there stay
    const kept = new Set((await siblings()).flatMap((one) => (one.result?.ips ?? []).map((ip) => ip.address.replace(/\/.*/, ''))));
    const run = createRun(options.execute ?? execute);
    await Promise.all([...families.map((tool) => cleanIptables(run, tool, attachment, kept)), cleanNft(run, attachment)]);
  });
}

async function cleanIptables(
  run: Run,
  tool: (typeof families)[number],
  { conflist, containerId }: CniAttachment,
  kept: ReadonlySet<string>,
) {
  const listing = await run(`${tool}-save`, ['-t', 'nat']);
  const changes = listing && masqueradeRemoval(listing, `CNI-${hash(conflist.name + containerId, 24)}`, kept);
  if (changes) await run(`${tool}-restore`, ['--noflush', '--wait', '5'], changes);
}

/** Input for iptables-restore that removes a chain and the jumps to it, but not those for the addresses in `kept`;
 *  '' when there is nothing to remove. `listing` is what iptables-save prints. */
export function masqueradeRemoval(listing: string, chain: string, kept: ReadonlySet<string>): string {
  const lines = listing.split('\n');
  if (!lines.some((line) => line.startsWith(`:${chain} `))) return '';
  const jumps = lines.filter((line) => line.startsWith('-A ') && line.endsWith(` -j ${chain}`));
  const isKept = (line: string) => kept.has(/ -s ([^ /]+)/.exec(line)?.[1] ?? '');
  const removed = jumps.filter((line) => !isKept(line)).map((line) => line.replace('-A', '-D'));
  const last = removed.length === jumps.length ? [`-F ${chain}`, `-X ${chain}`] : [];
  return removed.length + last.length === 0 ? '' : ['*nat', ...removed, ...last, 'COMMIT', ''].join('\n');
}

async function cleanNft(run: Run, { conflist, containerId, ifname }: CniAttachment): Promise<void> {
  const tables = await run('nft', ['list', 'tables', nftTable[0]]);
  if (!tables?.split('\n').includes(`table ${nftTable.join(' ')}`)) return;
  const listing = await run('nft', ['-j', '-a', 'list', 'table', ...nftTable]);
  const { nftables = [] }: { nftables?: { rule?: { chain: string; handle: number; comment?: string } }[] } = JSON.parse(listing ?? '{}');
  const prefix = `${hash(conflist.name, 16)}-${hash(`${ifname}:${containerId}`, 16)}`;
  const rules = nftables.flatMap(({ rule }) => (rule?.comment?.startsWith(prefix) ? [rule] : []));
  if (rules.length === 0) return;
  const commands = rules.map(({ chain, handle }) => `delete rule ${nftTable.join(' ')} ${chain} handle ${handle}`);
  await run('nft', [commands.join('; ')]);
}

/** stdout of a tool; undefined when it is not installed: then no plugin can have used it. */
type Run = (tool: string, args: string[], stdin?: string) => Promise<string | undefined>;

function createRun(run: Execute): Run {
  return async (tool, args, stdin = '') => {
    const outcome = await run({
      path: tool,
      args,
      env: { PATH: toolPath, LC_ALL: 'C' },
      stdin,
      timeoutMs: 5000,
      maxStdoutBytes: 64 * 1024 * 1024,
    });
    if (outcome.how === 'unstarted' && outcome.reason === 'ENOENT') return undefined;
    if (outcome.how === 'exited' && outcome.exitCode === 0) return outcome.stdout.toString();
    const why = outcome.how === 'exited' ? redactOutput(outcome.stderr.toString()) : outcome.how;
    throw failure('TOOL_FAILED', `cannot remove what a CNI plugin left: ${tool} ${args.join(' ')} failed: ${why}`, {
      argv: [tool, ...args],
    });
  };
}

function hash(text: string, length: number): string {
  return createHash('sha512').update(text).digest('hex').slice(0, length);
}
