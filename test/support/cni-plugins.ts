import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const cache = fileURLToPath(new URL('../../.cache/cni-plugins-1.9.1', import.meta.url));

/** The reference plugins 1.9.1, which scripts/setup --test builds through Go's client, in a folder that only root can
 *  reach: where the sources lie, others may be able to write, and such plugins are refused. null where there are none. */
export function cniPlugins191(): { folder: string; remove(): void } | null {
  if (!existsSync(`${cache}/vrf`)) return null;
  const folder = mkdtempSync('/var/lib/pve-cni-test-cni-1.9.1-');
  cpSync(cache, folder, { recursive: true });
  return { folder, remove: () => rmSync(folder, { recursive: true }) };
}
