/** What takes the agent's rules out of iptables: what its own cleanup leaves behind. Rules and chains of others are not named. */

/** Lines for `iptables-restore --noflush`, from what `iptables-save` says; '' when nothing of Cilium's is there. */
export function removeCiliumRules(saved: string): string {
  const tables = saved.split(/^(?=\*)/m).filter((part) => part.startsWith('*'));
  return tables.map(removalsOf).join('');
}

function removalsOf(table: string): string {
  const lines = table.split('\n').map((line) => line.trimEnd());
  const chains = lines.flatMap((line) => /^:(\S+)/.exec(line)?.[1] ?? []).filter(isCiliums);
  const jumps = lines.flatMap((line) => {
    const [, chain = '', rest = ''] = /^-A (\S+) (.*)$/.exec(line.replace(/^\[\d+:\d+\] /, '')) ?? [];
    // not what a comment says
    const target = /(?:^| )(?:-j|-g) (\S+)/.exec(rest.replace(/"(?:[^"\\]|\\.)*"/g, '""'))?.[1] ?? '';
    return chain !== '' && !isCiliums(chain) && isCiliums(target) ? [`-D ${chain} ${rest}`] : [];
  });
  if (chains.length === 0 && jumps.length === 0) return '';
  // a chain is emptied before any is deleted: they jump to each other
  return [lines[0], ...jumps, ...chains.map((chain) => `-F ${chain}`), ...chains.map((chain) => `-X ${chain}`), 'COMMIT', ''].join('\n');
}

function isCiliums(chain: string): boolean {
  return /^(OLD_)?CILIUM_/.test(chain);
}
