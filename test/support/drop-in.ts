import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../hookscripts/', import.meta.url));
export const lxcHookPath = `${root}lxc-hook`;
export const dropInPath = `${root}50-pve-cni.conf`;

/** Where the hooks of a test look, instead of the installed places. */
export interface HookPaths {
  /** the service's state folder: `<stateDir>/managed/<vmid>` are the markers */
  stateDir: string;
  /** folder of pve-cni.sock */
  runDir: string;
  /** stands for /run/pve; a folder that does not exist means plain LXC */
  warningsDir?: string;
  /** the hook; the project's own when absent */
  lxcHook?: string;
  /** more variables for the hook, e.g. PVE_CNI_HOOK_SECONDS */
  env?: Record<string, string>;
}

/** The drop-in as it is installed, with other paths. Only paths change: the guard's code is the real one. */
export function renderDropIn({ stateDir, runDir, warningsDir = '/run/pve', lxcHook = lxcHookPath, env = {} }: HookPaths): string {
  const variables = { PVE_CNI_STATE_DIR: stateDir, PVE_CNI_RUN_DIR: runDir, PVE_CNI_WARNINGS_DIR: warningsDir, ...env };
  const prefix = Object.entries(variables).map(([key, value]) => `${key}=${value}`);
  return readFileSync(dropInPath, 'utf8')
    .replaceAll('/var/lib/pve-cni/', `${stateDir}/`)
    .replaceAll('/usr/libexec/pve-cni/lxc-hook', lxcHook)
    .replaceAll('/run/pve/', `${warningsDir}/`)
    .replaceAll('= /bin/sh ', `= /usr/bin/env ${prefix.join(' ')} /bin/sh `);
}
