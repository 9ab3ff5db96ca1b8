import type { Policy } from '../model/policy.ts';
import { agentPolicy, emptyPolicy } from './agent-policy.ts';
import { entriesByFile, expectedEntries } from './policy-entries.ts';

/** What the agent has, beside what it should have. */
export interface Comparison {
  revision: number;
  /** policies, by name, that the agent has exactly */
  exact: Set<string>;
  /** everything else than that, each a sentence; empty: the agent has exactly these */
  differences: string[];
  /** files of its folder that the agent has otherwise than they are */
  stale: string[];
}

export function compare(policies: readonly Policy[], held: { revision: number; text: string }, clusterName: string): Comparison {
  const files = entriesByFile(held.text);
  const exact = new Set<string>();
  const differences: string[] = [];
  const stale: string[] = [];
  for (const policy of policies) {
    const file = agentFile(policy.name);
    const has = files.get(file) ?? [];
    files.delete(file);
    if (same(has, expectedEntries(agentPolicy(policy), clusterName))) {
      exact.add(policy.name);
      continue;
    }
    stale.push(file);
    differences.push(`the agent has ${has.length === 0 ? 'nothing' : 'something else'} of policy ${policy.name}`);
  }
  for (const [file, has] of files) {
    // on its way out: it selects nobody
    if (file !== null && same(has, expectedEntries(emptyPolicy(nameOfFile(file)), clusterName))) continue;
    if (file !== null) stale.push(file);
    differences.push(`the agent has ${file === null ? 'rules of no file' : `the policy file ${file}`}, which is none of ours`);
  }
  return { revision: held.revision, exact, differences, stale };
}

export function agentFile(name: string): string {
  return `${name}.yaml`;
}

export function nameOfFile(file: string): string {
  return file.slice(0, -'.yaml'.length);
}

function same(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((entry, index) => entry === other[index]);
}
