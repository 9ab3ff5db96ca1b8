import { setTimeout as pause } from 'node:timers/promises';
import type { Endpoint } from '../cilium/agent.ts';
import type { Comparison } from '../core/policy-comparison.ts';
import { directionsOf, policiesOf } from '../core/policy-verdict.ts';
import type { CheckView, DoctorView } from '../model/api.ts';
import { asPveCniError, errorRecord, failure } from '../model/errors.ts';
import type { Requester } from '../model/operation.ts';
import type { TextRequest } from '../model/panel-api.ts';
import type { Policy } from '../model/policy.ts';
import type { ContainerPolicyView, PolicyReceipt, PolicyView } from '../model/policy-api.ts';
import { containerPolicy } from './container-policy.ts';
import type { Dependencies } from './dependencies.ts';
import { exclusively } from './exclusively.ts';
import { fileText } from './file-texts.ts';
import type { OperationContext, Operations } from './operations.ts';
import { createFirstSeen, isInForce, type Subject, subjectsOf, subjectView } from './policy-subjects.ts';

/** How long a change waits for the agent and for every endpoint, ms. */
const enforceMs = 15_000;
/** the same of a reconcile, which comes again */
const reconcileMs = 3000;
const pollMs = 50;

/** Policies of this node: files, what the agent makes of them, what its endpoints enforce. */
export interface PolicyManager {
  policies(): Promise<PolicyView[]>;
  /** With the text of its file. @throws ConfigurationError POLICY_UNKNOWN */
  policy(name: string): Promise<PolicyView>;
  /** Writes a policy's file, brings it into force and says where it is. @throws ConfigurationError before anything is written */
  applyPolicy(wanted: TextRequest, requester: Requester): Promise<PolicyReceipt>;
  removePolicy(name: string, requester: Requester): Promise<PolicyReceipt>;
  /** What would be wrong with a policy. */
  checkPolicy(text: string): Promise<CheckView>;
  containerPolicy(vmid: number): Promise<ContainerPolicyView>;
}

/** All of them at one moment. */
interface Situation {
  policies: readonly Policy[];
  subjects: Subject[];
  /** null: the agent does not answer */
  comparison: Comparison | null;
  endpoints: Endpoint[] | null;
  /** the revision that has the policies exactly; null: there is none */
  revision: number | null;
}

export function createPolicyManager(deps: Dependencies, operations: Operations): PolicyManager {
  const { configuration, policies: agent, clock, settings } = deps;
  const firstSeen = createFirstSeen(clock);

  function viewOf(policy: Policy, situation: Situation): PolicyView {
    const { subjects, comparison, revision } = situation;
    const exact = comparison?.exact.has(policy.name) ? situation.comparison?.revision : null;
    const containers = subjects
      .filter(({ labels }) => policiesOf([policy], labels).length > 0)
      .map((subject) => subjectView(subject, revision ?? exact ?? null, firstSeen));
    const problem = configuration.current.problems.find(({ file }) => file === policy.file);
    return {
      name: policy.name,
      kind: policy.kind,
      file: policy.file,
      state: stateOf(containers, exact !== null && exact !== undefined),
      directions: directionsOf(policy),
      containers,
      problem: problem ? errorRecord(problem.error) : null,
      text: null,
      digest: null,
    };
  }

  /** Files that serve nothing. */
  function refused(): PolicyView[] {
    return configuration.current.problems
      .filter(({ file, lastGoodServes }) => file.startsWith('policies/') && !lastGoodServes)
      .map(({ file, error }) => ({
        name: file.slice('policies/'.length).replace(/\.yaml$/, ''),
        kind: null,
        file,
        state: 'refused',
        directions: [],
        containers: [],
        problem: errorRecord(error),
        text: null,
        digest: null,
      }));
  }

  /** Brings what is configured into force, and waits for the endpoints, too. Gives why it is not. */
  async function enforce(signal: AbortSignal): Promise<string | null> {
    if (!(await isUsed(deps))) return 'no agent of Cilium runs on this node, and nothing else enforces policies yet';
    try {
      const revision = await agent.ensureInForce(configured(deps), { timeoutMs: enforceMs, signal });
      return await untilRealized(deps, revision, signal);
    } catch (thrown) {
      return asPveCniError(thrown).message;
    }
  }

  async function receipt(name: string | null, why: string | null, operation: string, message: string): Promise<PolicyReceipt> {
    const situation = await situationOf(deps);
    const policy = name === null ? null : configuration.current.policies.get(name);
    const endpoints = situation.subjects.filter(({ endpoint }) => endpoint !== null);
    const view = policy ? viewOf(policy, situation) : null;
    return {
      policy: view,
      inForce: why === null && view?.state !== 'not-enforced',
      revision: situation.revision,
      endpoints: endpoints.map((subject) => subjectView(subject, situation.revision, firstSeen)),
      operation,
      message,
    };
  }

  function change(requester: Requester, work: (context: OperationContext) => Promise<PolicyReceipt>): Promise<PolicyReceipt> {
    const timeoutMs = settings.timeouts.operationSeconds * 1000;
    return operations.run({ kind: 'policy', vmid: null, requester, priority: 5, timeoutMs }, work);
  }

  return {
    async policies() {
      const situation = await situationOf(deps);
      return [...situation.policies.map((policy) => viewOf(policy, situation)), ...refused()].sort((one, other) =>
        one.name < other.name ? -1 : 1,
      );
    },
    async policy(name) {
      const policy = policyNamed(deps, name);
      return { ...viewOf(policy, await situationOf(deps)), ...(await fileText(configuration, policy.file)) };
    },
    applyPolicy: ({ text, digest }, requester) =>
      change(requester, async (context) => {
        const policy = configuration.parsePolicy(text);
        const before = await configuration.readFile(policy.file);
        await exclusively(deps, () => configuration.writePolicy(text, digest));
        context.changed(before, text);
        const why = await enforce(context.signal);
        const message = why === null ? `policy ${policy.name} is in force` : `policy ${policy.name} is written, and not in force: ${why}`;
        context.say(message);
        return receipt(policy.name, why, context.id, message);
      }),
    removePolicy: (name, requester) =>
      change(requester, async (context) => {
        const { file } = policyNamed(deps, name);
        const before = await configuration.readFile(file);
        await exclusively(deps, () => configuration.removePolicy(file));
        context.changed(before, null);
        const why = await enforce(context.signal);
        if (why === null) await agent.tidy(configured(deps)).catch(() => {});
        const message = why === null ? `policy ${name} is removed` : `policy ${name} is removed, and may still be in force: ${why}`;
        context.say(message);
        return receipt(null, why, context.id, message);
      }),
    async checkPolicy(text) {
      try {
        const { name, rules } = configuration.parsePolicy(text);
        return { ok: true, results: [{ what: name, ok: true, message: `good, ${rules.length} rules`, error: null }] };
      } catch (thrown) {
        const error = asPveCniError(thrown);
        const issues = Array.isArray(error.context.issues) ? error.context.issues.map(String) : [error.message];
        return { ok: false, results: issues.map((message) => ({ what: 'policy', ok: false, message, error: errorRecord(error) })) };
      }
    },
    async containerPolicy(vmid) {
      const { subjects, policies, revision } = await situationOf(deps);
      const own = subjects.filter((one) => one.vmid === vmid);
      if (own.length === 0)
        throw failure('CONTAINER_UNKNOWN', `container ${vmid} is not managed by pve-cni; see pve-cni container list`, { vmid });
      return { vmid, interfaces: await containerPolicy(deps, own, policies, (one) => subjectView(one, revision, firstSeen).state) };
    },
  };
}

/** What must be true before a container is attached: that what its endpoint will enforce is what the files say.
 *  @throws CNIError POLICY_NOT_IN_FORCE, CILIUM_UNAVAILABLE */
export async function policiesInForce(deps: Dependencies, signal: AbortSignal, timeoutMs = enforceMs): Promise<void> {
  await deps.policies.ensureInForce(configured(deps), { timeoutMs, signal });
}

/** Keeps the agent's policies those that are configured. @throws CNIError POLICY_NOT_IN_FORCE, CILIUM_UNAVAILABLE */
export async function reconcilePolicies(deps: Dependencies): Promise<void> {
  if (await isUsed(deps)) await bringIntoForce(deps);
  const policies = configured(deps);
  const [first, ...more] = policies.length > 0 ? uncoveredBy(policies, await subjectsOf(deps, null)) : [];
  if (first)
    throw failure('POLICY_NOT_IN_FORCE', `${first}${more.length > 0 ? ` (and ${more.length} more)` : ''}`, { policies: 1 + more.length });
}

async function bringIntoForce(deps: Dependencies): Promise<void> {
  await deps.policies.write(configured(deps));
  deps.policies.guard(() => configured(deps));
  await deps.policies.ensureInForce(configured(deps), { timeoutMs: reconcileMs });
  await deps.policies.tidy(configured(deps));
}

/** What is odd about policies on this node. */
export async function policyFindings(deps: Dependencies): Promise<Pick<DoctorView['checks'][number], 'state' | 'message' | 'cure'>[]> {
  const { policies, subjects, comparison } = await situationOf(deps);
  const uncovered = uncoveredBy(policies, subjects).map((message) => ({
    state: 'bad' as const,
    message,
    cure: 'attach the container to a network of type cilium, or change the policy’s endpointSelector',
  }));
  const used = await isUsed(deps);
  const differing = used ? (comparison?.differences ?? []) : [];
  return [
    ...uncovered,
    ...(used && comparison === null && policies.length > 0
      ? [{ state: 'bad' as const, message: 'the agent does not say which policies it has', cure: 'see pve-cni cilium status' }]
      : []),
    ...differing.map((message) => ({ state: 'bad' as const, message, cure: 'see pve-cni cilium status and pve-cni policy list' })),
    ...deps.policies.findings.map(({ message }) => ({
      state: 'warning' as const,
      message,
      cure: 'policies belong below the root: pve-cni policy apply FILE',
    })),
  ];
}

/** Policies that select what no enforcer covers, each a sentence. */
function uncoveredBy(policies: readonly Policy[], subjects: readonly Subject[]): string[] {
  return policies.flatMap((policy) =>
    subjects
      .filter(({ covered, labels }) => !covered && policiesOf([policy], labels).length > 0)
      .map(
        ({ vmid, interface: name, network }) =>
          `policy ${policy.name} selects ${name} of container ${vmid} and is not enforced there: nothing enforces policies on network "${network}"`,
      ),
  );
}

function configured({ configuration }: Dependencies): Policy[] {
  return [...configuration.current.policies.values()];
}

function policyNamed({ configuration }: Dependencies, name: string): Policy {
  const policy = configuration.current.policies.get(name);
  if (policy) return policy;
  throw failure('POLICY_UNKNOWN', `there is no policy ${name}; see pve-cni policy list`, { policy: name });
}

/** Whether Cilium is this node's business: a network of it is configured, or its folder is there from earlier. */
async function isUsed({ configuration, policies }: Dependencies): Promise<boolean> {
  return [...configuration.current.networks.values()].some(({ type }) => type === 'cilium') || policies.isThere();
}

async function situationOf(deps: Dependencies): Promise<Situation> {
  const policies = configured(deps);
  const comparison = await deps.policies.compare(policies).catch(() => null);
  const endpoints = comparison ? await deps.cilium.endpoints() : null;
  const subjects = await subjectsOf(deps, endpoints);
  const revision = comparison && comparison.differences.length === 0 ? comparison.revision : null;
  return { policies, subjects, comparison, endpoints, revision };
}

/** The worst of what it selects decides. */
function stateOf(containers: PolicyView['containers'], agentHasIt: boolean): PolicyView['state'] {
  if (containers.some(({ state }) => state === 'not-enforced')) return 'not-enforced';
  if (!agentHasIt || containers.some(({ state }) => state === 'not-in-force')) return 'not-in-force';
  return 'in-force';
}

/** Waits until every endpoint enforces a revision. Gives which does not. */
async function untilRealized({ cilium }: Dependencies, revision: number, signal: AbortSignal): Promise<string | null> {
  const end = performance.now() + enforceMs;
  for (;;) {
    const late = ((await cilium.endpoints()) ?? []).filter((endpoint) => !isInForce(endpoint, revision));
    if (late.length === 0) return null;
    if (performance.now() > end) return `container ${late[0]?.vmid} enforces revision ${late[0]?.policyRevision}, not ${revision} yet`;
    await pause(pollMs, undefined, { signal });
  }
}
