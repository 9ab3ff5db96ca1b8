import { access, readdir } from 'node:fs/promises';
import { Mutex } from 'async-mutex';
import type { ContainerConfig, ContainerFile } from '../model/container.ts';
import { failure } from '../model/errors.ts';
import type { Policy } from '../model/policy.ts';
import { compose, parseFile, type Surroundings } from './compose.ts';
import type { ConfigProblem, ConfigSnapshot, Configuration } from './configuration.ts';
import { containerIssues, type FixedAddresses, renderContainerFile } from './containers.ts';
import { createDeadline } from './deadline.ts';
import { changedMeanwhile, digestOf } from './digest.ts';
import { draftError } from './draft.ts';
import { containerPath, kindOfFile, stem } from './files.ts';
import { makeFolders } from './folders.ts';
import { createLastGood, type LastGoodStore } from './last-good.ts';
import { fromLastGood, type Memory, merge } from './memory.ts';
import { filesNamedBy, parseNetwork } from './networks.ts';
import { parsePolicy, policyConflict, policyPath } from './policies.ts';
import { readRegularFile, type Stamp } from './read.ts';
import { proxmoxMount, type RootState, stateOfRoot, unreadable } from './root.ts';
import { scan } from './scan.ts';
import { refusal } from './validate.ts';
import { watchRoot } from './watch.ts';
import { archiveFile, replaceFile } from './write.ts';

/** a look that takes longer counts as a root that is not there */
const lookLimitMs = 5000;

export interface ConfigurationOptions {
  /** folder of networks/, containers/ and settings.yaml */
  root: string;
  /** last good text of each file, kept over restarts */
  store: LastGoodStore;
  /** makes many changes of the store one; each is by itself when absent */
  transaction?: <Result>(work: () => Result) => Result;
  pollMs?: number;
  /** where the cluster filesystem is mounted, should the root lie in it; Proxmox's place when absent */
  clusterMount?: string | undefined;
  /** what of a policy this node would not enforce; nothing when absent */
  policyIssues?: Surroundings['policyIssues'];
  log?: (message: string, facts: object) => void;
}

/** The configuration below a root. Does nothing until it is asked; `current` is what served last until the first refresh. */
export function createConfiguration(options: ConfigurationOptions): Configuration {
  const {
    root,
    store,
    transaction = (work) => work(),
    pollMs = 2000,
    clusterMount = proxmoxMount,
    policyIssues = () => [],
    log = () => {},
  } = options;
  const turns = new Mutex();
  const limited = createDeadline(lookLimitMs);
  const lastGood = createLastGood({ store, transaction, log });
  const listeners: Parameters<Configuration['onChange']>[0][] = [];
  let memory: Memory | null = null;
  let missing: ReadonlySet<string> = new Set();
  let snapshot: ConfigSnapshot | null = null;
  let watching: ReturnType<typeof watchRoot> | null = null;

  function remembered(): Memory {
    memory ??= fromLastGood(lastGood.list());
    return memory;
  }

  function current(): ConfigSnapshot {
    snapshot ??= { ...compose(remembered(), { missing, policyIssues }).content, available: false, writable: false };
    return snapshot;
  }

  /** One look at the root. INVARIANT: only within `turns`, since it awaits between reading and merging. */
  async function look(vmid?: number): Promise<ConfigSnapshot> {
    const files = remembered();
    const before = current();
    const stampOf = (file: string) => files.get(file)?.stamp ?? '';
    const { state, found } = await attempt(() => readRoot(root, clusterMount, stampOf, vmid));
    const changed = found ? merge(files, found, state.authoritative) : [];
    const absent = found ? await attemptMissing() : missing;
    const content = changed.length > 0 || !sameSet(absent, missing) ? serve(files, absent) : before;
    if (found && state.authoritative) lastGood.forget((file) => found.covers(file) && !files.has(file));
    missing = absent;
    if (content !== before || before.available !== state.authoritative || before.writable !== state.writable) {
      snapshot = { ...content, available: state.authoritative, writable: state.writable };
      report(before, snapshot, state);
    }
    if (changed.length > 0) tell(changed);
    return current();
  }

  async function attempt(work: () => ReturnType<typeof readRoot>): ReturnType<typeof readRoot> {
    try {
      return await limited(`read ${root}`, work);
    } catch (error) {
      return { state: unreadable(error instanceof Error ? error.message : String(error)), found: null };
    }
  }

  async function attemptMissing(): Promise<ReadonlySet<string>> {
    return limited('look for the files that networks name', () => missingFiles(remembered())).catch(() => missing);
  }

  /** What the files make together, and from now on the last good version of each that serves. */
  function serve(
    files: Memory,
    absent: ReadonlySet<string>,
  ): Pick<ConfigSnapshot, 'networks' | 'containers' | 'policies' | 'services' | 'settings' | 'problems'> {
    const { content, served } = compose(files, { missing: absent, policyIssues });
    for (const [file, version] of served) {
      const known = files.get(file);
      if (known) known.good = version;
    }
    lastGood.keep(served);
    return content;
  }

  function report(before: ConfigSnapshot, after: ConfigSnapshot, { reason }: RootState): void {
    const known = new Set(before.problems.map(messageOf));
    for (const problem of after.problems) {
      if (known.has(messageOf(problem))) continue;
      const { file, error, lastGoodServes } = problem;
      log(`configuration: ${error.message}`, { file, code: error.code, lastGoodServes });
    }
    if (before.available && !after.available) log('the configuration root is not available; what served last serves on', { root, reason });
  }

  function tell(files: string[]): void {
    for (const listener of listeners) {
      try {
        listener({ snapshot: current(), files });
      } catch (error) {
        log('a listener to changes of the configuration failed', { error });
      }
    }
  }

  async function write(vmid: number, config: ContainerFile | null): Promise<void> {
    await writeText(containerPath(vmid), config && renderContainerFile(vmid, config), { vmid });
    await look(vmid);
  }

  /** The file with this text; null moves it to archive/. */
  async function writeText(file: string, text: string | null, facts: { vmid?: number } = {}): Promise<void> {
    kindOfFile(file);
    const refuse = (why: string, cause?: unknown) =>
      failure('CONFIG_UNAVAILABLE', `cannot write ${file} below ${root}: ${why}`, { ...facts, path: file }, cause);
    const { state } = await attempt(async () => ({ state: await stateOfRoot(root, clusterMount), found: null }));
    if (!state.writable) throw refuse(state.reason ?? 'it is read-only; restore quorum, or let root write there');
    try {
      await limited(`write ${file}`, () =>
        text === null
          ? archiveFile(root, file, `${stem(file)}-${new Date().toISOString()}${file.slice(file.lastIndexOf('.'))}`)
          : replaceFile(root, file, text),
      );
    } catch (error) {
      throw refuse(error instanceof Error ? error.message : String(error), error);
    }
  }

  async function readText(file: string, facts: { vmid?: number } = {}): Promise<string | null> {
    kindOfFile(file);
    const refuse = (why: string) => failure('CONFIG_UNAVAILABLE', `cannot read ${file}: ${why}`, { ...facts, path: file });
    const { state } = await attempt(async () => ({ state: await stateOfRoot(root, clusterMount), found: null }));
    if (!state.readable) throw refuse(state.reason ?? 'the root is not available');
    return (await limited(`read ${file}`, () => readRegularFile(`${root}/${file}`, file)))?.text ?? null;
  }

  /** As if it were written: beside the policies of other files. */
  function policyFrom(text: string): Policy {
    const draft = parsePolicy(text, 'policy');
    const file = current().policies.get(draft.name)?.file ?? policyPath(draft.name);
    const others = new Map([...current().policies].filter(([, one]) => one.file !== file || one.name !== draft.name));
    const inTheWay = [...others.values()].find((one) => one.file === file);
    if (inTheWay)
      throw failure('CONFIG_DUPLICATE', `cannot write ${file}: it holds the policy ${inTheWay.name}; rename that file or this policy`, {
        path: file,
        policy: draft.name,
      });
    const policy = { ...draft, file };
    const issues = policyConflict(policy, others, policyIssues);
    if (issues) throw refusal(file, issues, { policy: policy.name });
    return policy;
  }

  return {
    get current() {
      return current();
    },
    refresh: (vmid) => turns.runExclusive(() => look(vmid)),
    onChange: (listener) => void listeners.push(listener),
    parseContainer: (vmid, text) => parseContainer(current(), vmid, text),
    readContainer: (vmid) => readText(containerPath(vmid), { vmid }),
    writeContainer: (vmid, config) => turns.runExclusive(() => write(vmid, config)),
    async archivedContainer(vmid) {
      const names = await limited('read archive/', () => readdir(`${root}/archive`)).catch(() => []);
      // their names end in the time
      const last = names
        .filter((name) => name.startsWith(`${vmid}-`) && name.endsWith('.yaml'))
        .sort()
        .at(-1);
      if (last === undefined) return null;
      return (await limited(`read archive/${last}`, () => readRegularFile(`${root}/archive/${last}`, `archive/${last}`)))?.text ?? null;
    },
    writeNetwork: (name, text) =>
      turns.runExclusive(async () => {
        const file = `networks/${name}.yaml`;
        kindOfFile(file);
        parseNetwork(text, file);
        if (current().networks.has(name) || (await readText(file)) !== null)
          throw failure('CONFIG_DUPLICATE', `cannot write ${file}: there is a network "${name}" already; rename it`, { path: file });
        await writeText(file, text);
        await look();
      }),
    parsePolicy: policyFrom,
    readFile: (file) => readText(file),
    replaceFile: (file, text, digest) =>
      turns.runExclusive(async () => {
        await look();
        const before = await readText(file);
        if (digest !== undefined && digest !== digestOf(before ?? '')) throw changedMeanwhile(file, digest);
        const error = draftError(remembered(), current(), { file, text }, { missing, policyIssues });
        if (error) throw error;
        await writeText(file, text);
        await look();
        return before;
      }),
    writePolicy: (text, digest) =>
      turns.runExclusive(async () => {
        await look();
        const { file } = policyFrom(text);
        if (digest !== undefined && digest !== digestOf((await readText(file)) ?? '')) throw changedMeanwhile(file, digest);
        await writeText(file, text);
        await look();
        return file;
      }),
    removePolicy: (file) =>
      turns.runExclusive(async () => {
        await writeText(file, null);
        await look();
      }),
    makeFolders: (options) => limited('make the folders of the root', () => makeFolders(root, clusterMount, options)),
    start() {
      watching ??= watchRoot({ root, pollMs, look: () => turns.runExclusive(() => look()), log });
    },
    async stop() {
      await watching?.stop();
      watching = null;
      await turns.waitForUnlock();
    },
  };
}

async function readRoot(root: string, mount: string, stampOf: (file: string) => Stamp, vmid?: number) {
  const state = await stateOfRoot(root, mount);
  const found = state.readable ? await scan(root, stampOf, vmid) : null;
  // a root that went away while it was read says nothing about what is missing
  return { state: found ? await stateOfRoot(root, mount) : state, found };
}

/** Of the files outside the root that networks name, those that are not there. */
async function missingFiles(memory: Memory): Promise<ReadonlySet<string>> {
  const named: string[] = [];
  // a plain loop: this runs at every hook, and most of a thousand files are containers
  for (const [file, { now, good }] of memory) {
    if (!file.startsWith('networks/')) continue;
    for (const version of [now, good])
      if (version && 'object' in version && version.object.kind === 'network') named.push(...filesNamedBy(version.object.value));
  }
  const absent = await Promise.all(
    [...new Set(named)].map((path) =>
      access(path).then(
        () => [],
        () => [path],
      ),
    ),
  );
  return new Set(absent.flat());
}

function parseContainer({ networks, containers }: ConfigSnapshot, vmid: number, text: string): ContainerConfig {
  const file = containerPath(vmid);
  const { object } = parseFile(file, text);
  if (object.kind !== 'container') throw failure('INTERNAL', `${file} was not taken for a container's file`, { vmid });
  const fixed: FixedAddresses = new Map();
  for (const other of containers.values()) if (other.vmid !== vmid) containerIssues(other, networks, new Map(), fixed);
  const issues = containerIssues(object.value, networks, new Map(), fixed);
  if (issues.length > 0) throw refusal(file, issues, { vmid });
  return object.value;
}

function messageOf({ error, lastGoodServes }: ConfigProblem): string {
  return `${lastGoodServes} ${error.message}`;
}

function sameSet(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  return one.size === other.size && [...one].every((item) => other.has(item));
}
