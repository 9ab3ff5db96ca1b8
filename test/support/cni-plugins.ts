import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../.cache/cni-plugins-1.9.1', import.meta.url));

/** Folder with the reference plugins 1.9.1, which scripts/setup --test builds through Go's client; null where it could not. */
export function cniPlugins191(): string | null {
  return existsSync(`${folder}/vrf`) ? folder : null;
}
