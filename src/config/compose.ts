import type { ContainerConfig } from '../model/container.ts';
import type { PveCniError } from '../model/errors.ts';
import type { Network } from '../model/network.ts';
import { type Settings, settingsFile } from '../model/settings.ts';
import type { ConfigProblem, ConfigSnapshot } from './configuration.ts';
import { containerIssues, type FixedAddresses, parseContainerFile } from './containers.ts';
import { type FileKind, kindOfFile, stem } from './files.ts';
import { conflict, filesNamedBy, parseCniNetwork, parseNetwork } from './networks.ts';
import { refusal, validate } from './validate.ts';
import { parseYaml } from './yaml.ts';

/** What a good file says. */
export type ConfigObject =
  | { kind: 'network'; value: Network }
  | { kind: 'container'; value: ContainerConfig }
  | { kind: 'settings'; value: Settings };

/** A text and what it says. */
export interface Version {
  text: string;
  object: ConfigObject;
}

/** What is known of a file: what it says now, or why that is refused; and what it said when it last served. */
export interface Known {
  now: Version | PveCniError;
  good: Version | null;
}

const parsers: Record<FileKind, (text: string, file: string) => ConfigObject> = {
  network: (text, file) => ({ kind: 'network', value: parseNetwork(text, file) }),
  cniNetwork: (text, file) => ({ kind: 'network', value: parseCniNetwork(text, file) }),
  container: (text, file) => ({ kind: 'container', value: parseContainerFile(text, file) }),
  // a file of comments only is all defaults
  settings: (text, file) => ({ kind: 'settings', value: validate(settingsFile, parseYaml(text, file) ?? {}, file) }),
};

/** A file by itself, without the others. @throws ConfigurationError, CNIError */
export function parseFile(file: string, text: string): Version {
  return { text, object: parsers[kindOfFile(file)](text, file) };
}

type Content = Pick<ConfigSnapshot, 'networks' | 'containers' | 'settings' | 'problems'>;

/** All files together: what serves (file → version) and what that makes. Of networks that exclude each other the first
 *  in the order of files serves, which is the same on every node. `missing` are files outside the root that are not there. */
export function compose(
  files: ReadonlyMap<string, Known>,
  missing: ReadonlySet<string>,
): { content: Content; served: Map<string, Version> } {
  const served = new Map<string, Version>();
  const problems: ConfigProblem[] = [];
  const networks = new Map<string, Network>();
  const containers: ContainerConfig[] = [];
  const refused = new Map<string, string>();
  let settings = settingsFile.parse({});

  for (const file of [...files.keys()].sort()) {
    const known = files.get(file);
    if (!known) continue;
    const { version, error } = choose(file, known, networks);
    if (error) problems.push({ file, error, lastGoodServes: version !== null });
    if (!version) {
      if (file.startsWith('networks/')) refused.set(stem(file), file);
      continue;
    }
    served.set(file, version);
    const { object } = version;
    if (object.kind === 'network') networks.set(object.value.name, withWarnings(object.value, missing));
    else if (object.kind === 'container') containers.push(object.value);
    else settings = object.value;
  }

  containers.sort((one, other) => one.vmid - other.vmid);
  const together = containerProblems(containers, networks, refused);
  return {
    // what keeps a container from starting comes before what only is out of date
    content: { networks, containers: new Map(containers.map((one) => [one.vmid, one])), settings, problems: [...together, ...problems] },
    served,
  };
}

/** What a file says now if it can be, else what it said last. */
function choose(
  file: string,
  { now, good }: Known,
  networks: ReadonlyMap<string, Network>,
): { version: Version | null; error: PveCniError | null } {
  if ('object' in now) {
    const error = conflictWith(now, networks, file);
    if (!error) return { version: now, error: null };
    return { version: good && good.text !== now.text && !conflictWith(good, networks, file) ? good : null, error };
  }
  return { version: good && !conflictWith(good, networks, file) ? good : null, error: now };
}

function conflictWith({ object }: Version, networks: ReadonlyMap<string, Network>, file: string): PveCniError | null {
  if (object.kind !== 'network') return null;
  for (const earlier of networks.values()) {
    const issue = conflict(object.value, earlier);
    if (issue) return refusal(file, [issue], { network: object.value.name, other: earlier.file });
  }
  return null;
}

function containerProblems(
  containers: readonly ContainerConfig[],
  networks: ReadonlyMap<string, Network>,
  refused: ReadonlyMap<string, string>,
): ConfigProblem[] {
  const fixed: FixedAddresses = new Map();
  return containers.flatMap((container) => {
    const file = `containers/${container.vmid}.yaml`;
    const issues = containerIssues(container, networks, refused, fixed);
    return issues.length === 0 ? [] : [{ file, error: refusal(file, issues, { vmid: container.vmid }), lastGoodServes: false }];
  });
}

function withWarnings(network: Network, missing: ReadonlySet<string>): Network {
  const warnings = filesNamedBy(network).flatMap((path) =>
    missing.has(path) ? [`${network.file} names ${path}, which does not exist`] : [],
  );
  return warnings.length === 0 ? network : { ...network, warnings };
}
