import type { ContainerConfig } from '../model/container.ts';
import type { PveCniError } from '../model/errors.ts';
import type { Network } from '../model/network.ts';
import type { Policy } from '../model/policy.ts';
import type { Service } from '../model/service.ts';
import { type Settings, settingsFile } from '../model/settings.ts';
import type { ConfigProblem, ConfigSnapshot } from './configuration.ts';
import { containerIssues, type FixedAddresses, parseContainerFile } from './containers.ts';
import { type FileKind, kindOfFile, stem } from './files.ts';
import { conflict, filesNamedBy, parseCniNetwork, parseNetwork, withBase } from './networks.ts';
import { parsePolicy, policyConflict } from './policies.ts';
import { parseService, serviceIssues } from './services.ts';
import { type Issue, refusal, validate } from './validate.ts';
import { parseYaml } from './yaml.ts';

/** What a good file says. */
export type ConfigObject =
  | { kind: 'network'; value: Network }
  | { kind: 'container'; value: ContainerConfig }
  | { kind: 'policy'; value: Policy }
  | { kind: 'service'; value: Service }
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
  policy: (text, file) => ({ kind: 'policy', value: parsePolicy(text, file) }),
  service: (text, file) => ({ kind: 'service', value: parseService(text, file) }),
  // a file of comments only is all defaults
  settings: (text, file) => ({ kind: 'settings', value: validate(settingsFile, parseYaml(text, file) ?? {}, file) }),
};

/** A file by itself, without the others. @throws ConfigurationError, CNIError */
export function parseFile(file: string, text: string): Version {
  return { text, object: parsers[kindOfFile(file)](text, file) };
}

type Content = Pick<ConfigSnapshot, 'networks' | 'containers' | 'policies' | 'services' | 'settings' | 'problems'>;

/** What is known of the node that the files are served on. */
export interface Surroundings {
  /** files outside the root that are not there */
  missing: ReadonlySet<string>;
  /** what of a policy this node would not enforce */
  policyIssues: (policy: Policy) => Issue[];
}

/** All files together: what serves (file → version) and what that makes. Of networks or policies that exclude each other, and of
 *  containers that fix one address, the one that served already serves on; among new ones the first in the order of files. */
export function compose(
  files: ReadonlyMap<string, Known>,
  { missing, policyIssues }: Surroundings,
): { content: Content; served: Map<string, Version> } {
  const served = new Map<string, Version>();
  const problems: ConfigProblem[] = [];
  const networks = new Map<string, Network>();
  const policies = new Map<string, Policy>();
  const taken: Taken = { networks, policies, policyIssues };
  const containers: { file: string; known: Known; version: Version }[] = [];
  const balanced: { file: string; known: Known; version: Version }[] = [];
  const refused = new Map<string, string>();
  let settings = settingsFile.parse({});

  for (const [file, known] of [...files].sort(byService)) {
    const { version, error } = choose(file, known, taken);
    if (error) problems.push({ file, error, lastGoodServes: version !== null });
    if (!version) {
      if (file.startsWith('networks/')) refused.set(stem(file), file);
      continue;
    }
    const { object } = version;
    if (object.kind === 'container') containers.push({ file, known, version });
    else if (object.kind === 'service') balanced.push({ file, known, version });
    else served.set(file, version);
    if (object.kind === 'network') networks.set(object.value.name, withWarnings(object.value, missing));
    if (object.kind === 'policy') policies.set(object.value.name, object.value);
    if (object.kind === 'settings') settings = object.value;
  }

  for (const [name, network] of networks) networks.set(name, withBase(network, networks));
  const fixed: FixedAddresses = new Map();
  const configured: ContainerConfig[] = [];
  for (const { file, known, version } of containers) {
    const { version: chosen, problem } = chooseContainer(file, version, known, networks, refused, fixed);
    // what keeps a container from starting comes before what only is out of date
    if (problem) problems.unshift(problem);
    if (!problem || problem.lastGoodServes) served.set(file, chosen);
    if (chosen.object.kind === 'container') configured.push(chosen.object.value);
  }
  configured.sort((one, other) => one.vmid - other.vmid);
  const services = new Map<string, Service>();
  for (const { file, known, version } of balanced) {
    const { version: chosen, problem } = chooseService(file, version, known, { networks, containers: configured, services });
    if (problem) problems.push(problem);
    if (!chosen) continue;
    served.set(file, chosen);
    if (chosen.object.kind === 'service') services.set(chosen.object.value.name, chosen.object.value);
  }
  return {
    content: { networks, policies, containers: new Map(configured.map((one) => [one.vmid, one])), services, settings, problems },
    served,
  };
}

/** Files that say what served last come first: a new file never takes from one that serves. */
function byService([one, known]: [string, Known], [other, knownOther]: [string, Known]): number {
  const rank = ({ now, good }: Known) => (good && 'object' in now && now.text === good.text ? 0 : 1);
  return rank(known) - rank(knownOther) || (one < other ? -1 : 1);
}

/** What serves already, which later files must go with. */
interface Taken extends Pick<Surroundings, 'policyIssues'> {
  networks: ReadonlyMap<string, Network>;
  policies: ReadonlyMap<string, Policy>;
}

/** What a file says now if it can be, else what it said last. */
function choose(file: string, { now, good }: Known, taken: Taken): { version: Version | null; error: PveCniError | null } {
  if ('object' in now) {
    const error = conflictWith(now, taken, file);
    if (!error) return { version: now, error: null };
    return { version: good && good.text !== now.text && !conflictWith(good, taken, file) ? good : null, error };
  }
  return { version: good && !conflictWith(good, taken, file) ? good : null, error: now };
}

function conflictWith({ object }: Version, { networks, policies, policyIssues }: Taken, file: string): PveCniError | null {
  if (object.kind === 'policy') {
    const issues = policyConflict(object.value, policies, policyIssues);
    return issues && refusal(file, issues, { policy: object.value.name });
  }
  if (object.kind !== 'network') return null;
  for (const earlier of networks.values()) {
    const issue = conflict(object.value, earlier);
    if (issue) return refusal(file, [issue], { network: object.value.name, other: earlier.file });
  }
  return null;
}

/** What a container's file says, if it goes with the networks and the other containers; else what it said last, if that
 *  does; else what it says all the same: the container stays configured, and its start is refused. */
function chooseContainer(
  file: string,
  version: Version,
  { good }: Known,
  networks: ReadonlyMap<string, Network>,
  refused: ReadonlyMap<string, string>,
  fixed: FixedAddresses,
): { version: Version; problem: ConfigProblem | null } {
  const issues = issuesOf(version, networks, refused, fixed);
  if (issues.length === 0) return { version, problem: null };
  const vmid = version.object.kind === 'container' ? version.object.value.vmid : 0;
  const lastGoodServes = good !== null && good.text !== version.text && issuesOf(good, networks, refused, fixed).length === 0;
  return { version: lastGoodServes ? good : version, problem: { file, error: refusal(file, issues, { vmid }), lastGoodServes } };
}

/** What a service's file says, if its address is nobody else's; else what it said last, if that is. */
function chooseService(
  file: string,
  version: Version,
  { good }: Known,
  others: Parameters<typeof serviceIssues>[1],
): { version: Version | null; problem: ConfigProblem | null } {
  const issues = (of: Version) => (of.object.kind === 'service' ? serviceIssues(of.object.value, others) : []);
  const found = issues(version);
  if (found.length === 0) return { version, problem: null };
  const last = good && good.text !== version.text && issues(good).length === 0 ? good : null;
  return { version: last, problem: { file, error: refusal(file, found), lastGoodServes: last !== null } };
}

/** Takes the container's fixed addresses only when nothing is wrong with it. */
function issuesOf(
  { object }: Version,
  networks: ReadonlyMap<string, Network>,
  refused: ReadonlyMap<string, string>,
  fixed: FixedAddresses,
): Issue[] {
  if (object.kind !== 'container') return [];
  const own: FixedAddresses = new Map();
  const issues = containerIssues(object.value, networks, refused, overlay(fixed, own));
  if (issues.length === 0) for (const [key, vmid] of own) fixed.set(key, vmid);
  return issues;
}

/** Reads through to what is taken, writes to `own`. */
function overlay(taken: FixedAddresses, own: FixedAddresses): Pick<FixedAddresses, 'get' | 'set'> {
  return { get: (key) => own.get(key) ?? taken.get(key), set: (key, vmid) => own.set(key, vmid) };
}

function withWarnings(network: Network, missing: ReadonlySet<string>): Network {
  const warnings = filesNamedBy(network).flatMap((path) =>
    missing.has(path) ? [`${network.file} names ${path}, which does not exist`] : [],
  );
  return warnings.length === 0 ? network : { ...network, warnings };
}
