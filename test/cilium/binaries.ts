import { copyFileSync, cpSync, existsSync, linkSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ciliumVersion } from '../../src/model/cilium.ts';

/** Agent, plugin and tool of the one version, built by scripts/setup --test, in a folder that only root can change wherever the sources
 *  lie: the service runs no others. It ends with this process. */
export const binaries = safeFolder(resolve(`.cache/cilium-${ciliumVersion}`));

function safeFolder(built: string): string {
  if (!existsSync(join(built, 'done'))) return built;
  const folder = mkdtempSync('/var/lib/pve-cni-test-bin-');
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  for (const name of readdirSync(built)) {
    const [from, to] = [join(built, name), join(folder, name)];
    if (name === 'bpf') cpSync(from, to, { recursive: true });
    else linkOrCopy(from, to);
  }
  return folder;
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}
