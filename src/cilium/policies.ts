import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Mutex } from 'async-mutex';
import { agentPolicy, emptyPolicy } from '../core/agent-policy.ts';
import { agentFile, type Comparison, compare, nameOfFile } from '../core/policy-comparison.ts';
import { failure } from '../model/errors.ts';
import type { Policy } from '../model/policy.ts';
import type { Agent } from './agent.ts';
import { type FolderFile, fileText, type PolicyFolder } from './policy-folder.ts';

/** Policies of Cilium's agent on this node. The agent reads a folder and says what it made of it; in force is what it says. */

const pollMs = 25;
/** an agent that takes up nothing for so long has missed a file, ms: it is written again. One that is at work is left alone */
const missedMs = 2000;
/** an agent that has just started may be busy for seconds; one that takes up nothing for so long does not look at its folder, ms */
const deafMs = 15_000;
/** how long after a change of its folder somebody looks at it, ms */
const gatherMs = 20;

/** What was found in the agent's folder that we did not write. */
export interface FolderFinding {
  file: string;
  message: string;
  /** epoch ms */
  at: number;
}

export interface AgentPolicies {
  /** Whether the agent's folder is there. */
  isThere(): Promise<boolean>;
  /** Makes the agent's folder hold exactly these, as far as that needs no answer of the agent. */
  write(policies: readonly Policy[]): Promise<void>;
  /** @throws CNIError CILIUM_UNAVAILABLE */
  compare(policies: readonly Policy[]): Promise<Comparison>;
  /** Writes, and waits until the agent has exactly these. Gives the revision that has them.
   *  @throws CNIError POLICY_NOT_IN_FORCE after the time, CILIUM_UNAVAILABLE */
  ensureInForce(policies: readonly Policy[], options: { timeoutMs: number; signal?: AbortSignal }): Promise<number>;
  /** Removes the files of policies that are gone, once the agent has seen that they select nobody. */
  tidy(policies: readonly Policy[]): Promise<void>;
  /** Puts the agent's folder right as soon as somebody changes it: a broken file has ended the agent, and would end it at every start.
   *  `policies` gives those that are configured. May be called often. */
  guard(policies: () => readonly Policy[]): void;
  stop(): void;
  /** lately, the last of each file */
  readonly findings: readonly FolderFinding[];
}

export interface AgentPoliciesOptions {
  agent: Agent;
  folder: PolicyFolder;
  clusterName: string;
  clock: () => number;
  log: (message: string, facts: object) => void;
}

export function createAgentPolicies({ agent, folder, clusterName, clock, log }: AgentPoliciesOptions): AgentPolicies {
  const turns = new Mutex();
  const findings = new Map<string, FolderFinding>();
  let timer: NodeJS.Timeout | undefined;

  function note(file: string, message: string): void {
    log(message, { path: `${folder.path}/${file}` });
    findings.set(file, { file, message, at: clock() });
  }

  /** INVARIANT: only within `turns`. `again`: files to write although they are right, so that the agent hears of them. */
  async function write(policies: readonly Policy[], again: ReadonlySet<string> = new Set()): Promise<void> {
    const wanted = new Map(policies.map((policy) => [agentFile(policy.name), fileText(agentPolicy(policy))]));
    const found = new Map((await folder.files()).map((one) => [one.file, one]));
    for (const file of new Set([...wanted.keys(), ...found.keys(), ...again])) {
      const present = found.get(file);
      // what no policy wants selects nobody from now on; it is removed later
      const text = wanted.get(file) ?? emptied(file);
      if (present?.text === text && !again.has(file)) continue;
      if (present && present.owner !== 'ours') await report(present, wanted.has(file));
      await folder.write(file, text);
    }
  }

  /** A file that somebody changed or put there: kept beside, and told. */
  async function report(found: FolderFile, isWanted: boolean): Promise<void> {
    const kept = await folder.setAside(found);
    const did = found.owner === 'changed' || isWanted ? 'changed by somebody and is right again' : 'not ours and is out of force';
    note(found.file, `${found.file} in the agent's folder was ${did}; what it said is in ${kept}`);
  }

  async function look(policies: readonly Policy[]): Promise<Comparison> {
    return compare(policies, await agent.policies(), clusterName);
  }

  /** Once the agent has a file that it never heard of before, it has heard of everything before it, and files may go. */
  async function barrier(): Promise<string> {
    const file = `pve-cni-barrier.${randomBytes(8).toString('hex')}.yaml`;
    await folder.write(file, emptied(file));
    const idleMs = createIdle();
    for (;;) {
      const { text, revision } = await agent.policies();
      if (text.includes(`"${file}"`)) return file;
      if (idleMs(revision) > deafMs) throw notInForce(['the agent does not look at its folder']);
      await pause(pollMs);
    }
  }

  return {
    get findings() {
      return [...findings.values()];
    },
    isThere: folder.isThere,
    guard(policies) {
      folder.watch(() => {
        // many events of one change are one look
        timer ??= setTimeout(() => {
          timer = undefined;
          turns.runExclusive(() => write(policies())).catch((error) => log(`the agent's folder cannot be put right: ${error.message}`, {}));
        }, gatherMs);
      });
    },
    stop() {
      clearTimeout(timer);
      folder.unwatch();
    },
    write: (policies) => turns.runExclusive(() => write(policies)),
    compare: look,
    async ensureInForce(policies, { timeoutMs, signal }) {
      const begin = performance.now();
      await turns.runExclusive(() => write(policies));
      let idleMs = createIdle();
      for (;;) {
        signal?.throwIfAborted();
        const { revision, differences, stale } = await look(policies);
        if (differences.length === 0) return revision;
        if (performance.now() - begin > timeoutMs) throw notInForce(differences);
        if (idleMs(revision) > missedMs) {
          await turns.runExclusive(() => write(policies, new Set(stale)));
          idleMs = createIdle();
        }
        await pause(pollMs, undefined, signal ? { signal } : {});
      }
    },
    tidy: (policies) =>
      turns.runExclusive(async () => {
        const wanted = new Set(policies.map(({ name }) => agentFile(name)));
        const gone = (await folder.files()).filter(
          ({ file, owner, text }) => !wanted.has(file) && owner === 'ours' && text === emptied(file),
        );
        if (gone.length === 0) return;
        const last = await barrier();
        for (const file of [...gone.map((one) => one.file), last]) await folder.remove(file);
      }),
  };
}

/** How long the agent's revision has not moved, ms. */
function createIdle(): (revision: number) => number {
  let seen = -1;
  let since = performance.now();
  return (revision) => {
    if (revision !== seen) since = performance.now();
    seen = revision;
    return performance.now() - since;
  };
}

function emptied(file: string): string {
  return fileText(emptyPolicy(nameOfFile(file)));
}

function notInForce(differences: readonly string[]) {
  const [first = ''] = differences;
  const more = differences.length > 1 ? ` (and ${differences.length - 1} more)` : '';
  return failure(
    'POLICY_NOT_IN_FORCE',
    `Cilium's agent does not enforce what the policy files say: ${first}${more}; see pve-cni policy list`,
    {
      differences,
    },
  );
}
