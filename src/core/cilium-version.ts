import { ciliumVersion } from '../model/cilium.ts';

/** Versions of Cilium: what this service knows is one minor version. Its API, its files and its flags differ from the next one's, so
 *  another one is named and refused, not tried. */

/** The first version in a text: `1.20.2 (v1.20.2-abcdef)`, `cilium-agent 1.20.2 9589669 2026-…`. Null: there is none. */
export function versionIn(text: string): string | null {
  return /(?:^|[\sv])(\d+\.\d+\.\d+(?:-[0-9A-Za-z.]+)?)(?=[\s)(]|$)/.exec(text)?.[1] ?? null;
}

/** Why a version is none that this service works with; null: it is one. */
export function versionProblem(version: string): string | null {
  const [major = 0, minor = 0] = numbers(version);
  const [ownMajor = 0, ownMinor = 0] = numbers(ciliumVersion);
  if (major === ownMajor && minor === ownMinor) return null;
  const old = major < ownMajor || (major === ownMajor && minor < ownMinor);
  return `Cilium ${version} is too ${old ? 'old' : 'new'}: this version of pve-cni works with ${ownMajor}.${ownMinor}.x`;
}

/** Negative: the first is older. Pre-releases are older than their release. */
export function compareVersions(one: string, other: string): number {
  const [left, right] = [numbers(one), numbers(other)];
  for (let index = 0; index < 3; index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return Number(!one.includes('-')) - Number(!other.includes('-'));
}

function numbers(version: string): number[] {
  return (version.split('-')[0] ?? '').split('.').map(Number);
}
