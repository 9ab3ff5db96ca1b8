import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';

/** The package of this tree, built once for a run of tests. */
let built: Promise<string> | undefined;

export function buildPackage(): Promise<string> {
  built ??= execa('bash', ['scripts/deb', '.cache/packages'], { env: { PATH: `/usr/bin:/bin:${process.env.PATH}` } }).then(
    ({ stdout }) => stdout.trim().split('\n').at(-1) ?? '',
  );
  return built;
}

/** The same with another version number: it stands for a build before or after this one. */
export async function withVersion(file: string, version: string): Promise<string> {
  const tree = join('.cache/packages', `tree-${version}`);
  const other = join('.cache/packages', `pve-cni_${version}_amd64.deb`);
  await execa('rm', ['-rf', tree]);
  mkdirSync(join(tree, '..'), { recursive: true });
  await execa('dpkg-deb', ['-R', file, tree]);
  const control = join(tree, 'DEBIAN/control');
  writeFileSync(control, readFileSync(control, 'utf8').replace(/^Version: .*$/m, `Version: ${version}`));
  await execa('dpkg-deb', ['-Zgzip', '--root-owner-group', '-b', tree, other]);
  await execa('rm', ['-rf', tree]);
  return other;
}
