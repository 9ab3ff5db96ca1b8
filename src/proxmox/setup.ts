import { z } from 'zod';
import type { Run } from '../host/run.ts';
import { asPveCniError, failure } from '../model/errors.ts';
import type { SetupStep } from '../model/setup.ts';
import type { ProxmoxApi } from './api.ts';
import { apiPaths, apiPrivileges, apiRole, apiTokenId, apiTokenName, apiUser, type TokenFile } from './api-token.ts';

export interface ApiAccess {
  /** Makes user, role, permissions and token in Proxmox, as far as they are not there. With `dryRun` it only looks.
   *  @throws InterfaceError TOOL_FAILED, TOOL_MISSING; ProxmoxError */
  setUp(options: { dryRun: boolean }): Promise<SetupStep[]>;
}

export interface ApiAccessOptions {
  run: Run;
  /** path of Proxmox's `pveum` */
  pveum: () => Promise<string>;
  token: TokenFile;
  api: ProxmoxApi;
  clock: () => number;
}

/** a start of Perl with all of Proxmox */
const pveumMs = 60_000;
const comment = 'pve-cni: state of containers on other nodes; made by pve-cni setup';

const users = z.array(z.object({ userid: z.string(), enable: z.coerce.number().default(1) }));
const roles = z.array(z.object({ roleid: z.string(), privs: z.string().default('') }));
const permissions = z.array(z.object({ path: z.string(), type: z.string(), ugid: z.string(), roleid: z.string() }));
const tokens = z.array(z.object({ tokenid: z.string(), expire: z.coerce.number().default(0) }));
const madeToken = z.object({ value: z.string() });

export function createApiAccess({ run, pveum, token, api, clock }: ApiAccessOptions): ApiAccess {
  const tool = async (...args: string[]) => run([await pveum(), ...args], { timeoutMs: pveumMs });

  async function ask<Schema extends z.ZodType>(schema: Schema, ...args: string[]): Promise<z.output<Schema>> {
    const text = await tool(...args, '--output-format', 'json');
    try {
      return schema.parse(JSON.parse(text));
    } catch {
      // what it printed may be a secret
      throw failure(
        'PROXMOX_API_UNAVAILABLE',
        `pveum ${args.slice(0, 3).join(' ')} answered what it does not document; see its version (pveversion -v)`,
        {},
      );
    }
  }

  async function role(dryRun: boolean): Promise<SetupStep> {
    const what = `role ${apiRole}`;
    const found = (await ask(roles, 'role', 'list')).find(({ roleid }) => roleid === apiRole);
    const wanted = apiPrivileges.join(',');
    if (found && sameList(found.privs.split(/[,;\s]+/), apiPrivileges)) return kept(what, wanted);
    if (!dryRun) await tool('role', found ? 'modify' : 'add', apiRole, '--privs', wanted);
    return changed(what, found ? 'renewed' : 'made', dryRun, wanted);
  }

  async function user(dryRun: boolean): Promise<SetupStep> {
    const what = `user ${apiUser}`;
    const found = (await ask(users, 'user', 'list')).find(({ userid }) => userid === apiUser);
    if (found)
      return found.enable
        ? kept(what, 'nobody can log in as it')
        : { what, state: 'kept', message: 'it is disabled: enable it, or the token is refused' };
    if (!dryRun) await tool('user', 'add', apiUser, '--comment', comment);
    return changed(what, 'made', dryRun, 'nobody can log in as it: it has no password');
  }

  async function permission(path: string, dryRun: boolean): Promise<SetupStep> {
    const what = `permission on ${path}`;
    const found = await ask(permissions, 'acl', 'list');
    if (found.some((one) => one.path === path && one.type === 'user' && one.ugid === apiUser && one.roleid === apiRole))
      return kept(what, apiRole);
    if (!dryRun) await tool('acl', 'modify', path, '--users', apiUser, '--roles', apiRole);
    return changed(what, 'made', dryRun, apiRole);
  }

  async function secret(dryRun: boolean): Promise<SetupStep> {
    const what = `token ${apiTokenId}`;
    const hasUser = (await ask(users, 'user', 'list')).some(({ userid }) => userid === apiUser);
    const listed = hasUser
      ? (await ask(tokens, 'user', 'token', 'list', apiUser)).find(({ tokenid }) => tokenid === apiTokenName)
      : undefined;
    const why = await whyNotGood(listed);
    if (why === null) return kept(what, 'its secret is in priv/cni/token.json');
    if (!dryRun) {
      if (listed) await tool('user', 'token', 'remove', apiUser, apiTokenName);
      const { value } = await ask(madeToken, 'user', 'token', 'add', apiUser, apiTokenName, '--privsep', '0', '--comment', comment);
      await token.write({ id: apiTokenId, secret: value });
    }
    return changed(what, listed ? 'renewed' : 'made', dryRun, listed ? why : 'its secret is in priv/cni/token.json');
  }

  async function whyNotGood(listed: { expire: number } | undefined): Promise<string | null> {
    if (!listed) return 'there is none';
    if (listed.expire !== 0 && listed.expire * 1000 <= clock()) return 'it expired';
    if (!(await token.read())) return 'its secret was lost';
    try {
      await api.containers();
      return null;
    } catch (thrown) {
      const { code, context } = asPveCniError(thrown);
      // an API that is away says nothing of the token
      return code === 'PROXMOX_TOKEN_REFUSED' && context.status === 401 ? 'Proxmox refused it' : null;
    }
  }

  return {
    async setUp({ dryRun }) {
      const steps = [await role(dryRun), await user(dryRun)];
      for (const path of apiPaths) steps.push(await permission(path, dryRun));
      return [...steps, await secret(dryRun)];
    },
  };
}

function kept(what: string, message: string): SetupStep {
  return { what, state: 'kept', message };
}

function changed(what: string, state: 'made' | 'renewed', dryRun: boolean, message: string): SetupStep {
  return { what, state: dryRun ? `would be ${state}` : state, message };
}

function sameList(one: readonly string[], other: readonly string[]): boolean {
  return [...one].sort().join() === [...other].sort().join();
}
