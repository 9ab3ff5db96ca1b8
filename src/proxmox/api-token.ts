import { z } from 'zod';

/** What `pve-cni setup` makes in Proxmox: a user that nobody can log in as, and a token of it. A role's name must not begin with PVE. */
export const apiUser = 'pve-cni@pve';
export const apiTokenName = 'service';
export const apiTokenId = `${apiUser}!${apiTokenName}`;
export const apiRole = 'CNIAudit';
/** what /cluster/resources asks for (pve-manager, API2/Cluster.pm): to see containers, and which pool they are in */
export const apiPrivileges = ['Pool.Audit', 'VM.Audit'];
export const apiPaths = ['/vms', '/pool'];

/** `priv/cni/token.json` of the cluster filesystem, which only root can read; one for all nodes. Never shown nor logged. */
export const apiToken = z.strictObject({
  id: z.literal(apiTokenId),
  secret: z.string().regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/),
});
export type ApiToken = z.output<typeof apiToken>;

export interface TokenFile {
  /** null: there is none, or none that can be used */
  read(): Promise<ApiToken | null>;
  write(token: ApiToken): Promise<void>;
}

export interface TokenFileOptions {
  pveDir: string;
  readText: (path: string, maxBytes: number) => Promise<string | null>;
  /** never with a chmod, which the cluster filesystem refuses */
  write: (path: string, text: string) => Promise<void>;
}

export function createTokenFile({ pveDir, readText, write }: TokenFileOptions): TokenFile {
  const path = `${pveDir}/priv/cni/token.json`;
  return {
    async read() {
      try {
        return apiToken.safeParse(JSON.parse((await readText(path, 4096)) ?? 'null')).data ?? null;
      } catch {
        return null;
      }
    },
    write: (token) => write(path, `${JSON.stringify(apiToken.parse(token))}\n`),
  };
}
