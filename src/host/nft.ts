import { mkdir, rm, writeFile } from 'node:fs/promises';
import type { Run } from './run.ts';

/** nftables, only ever for our own table. A ruleset goes through a file: nft cannot read the socket that Node gives as stdin. */
export interface Nft {
  apply(ruleset: string): Promise<void>;
  /** Comments of the rules in a chain of ours, or of all its chains; null when there is no such table or chain. */
  comments(family: string, table: string, chain?: string): Promise<string[] | null>;
}

let counter = 0;

export function createNft(run: Run, runDir: string): Nft {
  return {
    async apply(ruleset) {
      await mkdir(runDir, { recursive: true, mode: 0o700 });
      counter += 1;
      const file = `${runDir}/ruleset-${process.pid}-${counter}.nft`;
      await writeFile(file, ruleset, { mode: 0o600 });
      await run(['nft', '-f', file]).finally(() => rm(file, { force: true }));
    },
    async comments(family, table, chain) {
      const text = await run(['nft', '-j', 'list', 'tables']);
      const tables: { nftables?: { table?: { family: string; name: string } }[] } = JSON.parse(text);
      if (!tables.nftables?.some((one) => one.table?.family === family && one.table.name === table)) return null;
      const listing: { nftables?: { chain?: { name: string }; rule?: { chain: string; comment?: string } }[] } = JSON.parse(
        await run(['nft', '-j', 'list', 'table', family, table]),
      );
      const isAsked = (name: string | undefined) => name !== undefined && (chain === undefined || name === chain);
      if (!listing.nftables?.some((one) => isAsked(one.chain?.name))) return null;
      return listing.nftables.flatMap(({ rule }) => (rule?.comment && isAsked(rule.chain) ? [rule.comment] : []));
    },
  };
}
