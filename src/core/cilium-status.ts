import type { CiliumSettings } from '../model/cilium.ts';
import type { FlagDifference } from './cilium-differences.ts';
import { compareVersions, versionProblem } from './cilium-version.ts';

/** What differs between what the settings want of the agent and what is, in words and with a cure each. */

export interface StatusInput {
  settings: CiliumSettings;
  /** what an installation of ours put here */
  installed: string | null;
  /** the agent's own words; null: it does not answer, or does not say */
  running: { version: string | null; encryption: string } | null;
  flags: readonly FlagDifference[];
  /** systemd's word for each unit that is wanted */
  units: readonly { name: string; state: string }[];
}

export interface Difference {
  what: string;
  wanted: string;
  is: string;
  cure: string;
}

export function statusDifferences(input: StatusInput): Difference[] {
  return [...unitDifferences(input), ...versionDifferences(input), ...flagRows(input), ...encryptionDifferences(input)];
}

function unitDifferences({ units, installed }: StatusInput): Difference[] {
  if (installed === null) return [];
  return units
    .filter(({ state }) => state !== 'active' && state !== 'no systemd')
    .map(({ name, state }) => ({
      what: `unit ${name}`,
      wanted: 'active',
      is: state,
      cure: `systemctl status ${name}; systemctl restart ${name}`,
    }));
}

function versionDifferences({ installed, running }: StatusInput): Difference[] {
  if (running === null) return [];
  const { version } = running;
  const problem = version === null ? 'the agent does not say its version' : versionProblem(version);
  if (problem !== null)
    return [{ what: 'version', wanted: '1.20.x', is: version ?? 'not said', cure: `${problem}: pve-cni cilium upgrade` }];
  if (installed === null || version === null || compareVersions(installed, version) === 0) return [];
  return [{ what: 'version', wanted: `${installed}, installed`, is: `${version}, running`, cure: 'systemctl restart pve-cni-cilium' }];
}

function flagRows({ flags, running }: StatusInput): Difference[] {
  return flags.map(({ flag, wanted, onDisk, running: runs }) => {
    const stale = wanted !== onDisk;
    return {
      what: flag,
      wanted: wanted ?? '(not set)',
      is: stale ? `${onDisk ?? '(not set)'} on the disk` : `${runs} in the running agent`,
      cure: stale
        ? `pve-cni cilium config --write${running ? ', then systemctl restart pve-cni-cilium' : ''}`
        : 'systemctl restart pve-cni-cilium',
    };
  });
}

const modes: Record<CiliumSettings['encryption'], string> = { none: 'Disabled', wireguard: 'Wireguard', ipsec: 'IPsec' };

function encryptionDifferences({ settings, running }: StatusInput): Difference[] {
  const wanted = modes[settings.encryption];
  if (running === null || running.encryption === '' || running.encryption === wanted) return [];
  return [
    { what: 'encryption', wanted, is: running.encryption, cure: 'pve-cni cilium config --write, then systemctl restart pve-cni-cilium' },
  ];
}
