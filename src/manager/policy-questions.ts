import { canonicalIp } from '../core/ip.ts';
import { type End, explain } from '../core/policy-explanation.ts';
import { type Flow, policiesOf } from '../core/policy-verdict.ts';
import { unifiedDiff } from '../core/text-diff.ts';
import { asPveCniError, errorRecord, failure } from '../model/errors.ts';
import type { ExplainQuery, Explanation, PolicyDiff } from '../model/explain-api.ts';
import type { Policy } from '../model/policy.ts';
import type { Dependencies } from './dependencies.ts';
import { type Subject, subjectsOf } from './policy-subjects.ts';

/** What can be said of policies without changing any. */
export interface PolicyQuestions {
  /** What a text would change; never throws for what is wrong with it. */
  diffPolicy(text: string): Promise<PolicyDiff>;
  /** @throws ConfigurationError CONTAINER_UNKNOWN, REQUEST_INVALID when neither end is a container */
  explain(question: ExplainQuery): Promise<Explanation>;
}

export function createPolicyQuestions(deps: Dependencies): PolicyQuestions {
  const { configuration, cilium } = deps;
  return {
    async diffPolicy(text) {
      const subjects = await subjectsOf(deps, null);
      const draft = parsed(deps, text);
      const present = draft.name === null ? undefined : configuration.current.policies.get(draft.name);
      const before = present ? await configuration.readFile(present.file).catch(() => null) : null;
      const file = present?.file ?? draft.policy?.file ?? 'policy';
      const chosen = draft.policy ? selectedBy(draft.policy, subjects) : [];
      return {
        name: draft.name,
        before,
        after: text,
        diff: unifiedDiff(before ?? '', text, { before: before === null ? '/dev/null' : file, after: file }),
        selects: { before: present ? vmidsOf(selectedBy(present, subjects)) : [], after: vmidsOf(chosen) },
        findings: [...draft.findings, ...uncovered(chosen)],
      };
    },
    async explain({ from, to, port, protocol }) {
      const subjects = await subjectsOf(deps, await cilium.endpoints());
      const ends = await Promise.all([from, to].map((text) => candidates(deps, text, subjects)));
      const [senders = [], receivers = []] = ends;
      const [sender, receiver] = pairOf(senders, receivers);
      if (sender.peer.kind !== 'container' && receiver.peer.kind !== 'container')
        throw failure(
          'REQUEST_INVALID',
          `cannot explain ${from} to ${to}: policies are about containers, and neither is one of this node`,
          {
            field: 'from',
          },
        );
      return explain([...configuration.current.policies.values()], sender, receiver, flowOf(protocol, port));
    },
  };
}

function parsed(
  { configuration }: Dependencies,
  text: string,
): { policy: Policy | null; name: string | null; findings: PolicyDiff['findings'] } {
  try {
    const policy = configuration.parsePolicy(text);
    return { policy, name: policy.name, findings: [] };
  } catch (thrown) {
    const error = asPveCniError(thrown);
    const { issues, policy } = error.context;
    const messages = Array.isArray(issues) ? issues.map(String) : [error.message];
    const findings = messages.map((message) => ({ what: 'policy', ok: false, message, error: errorRecord(error) }));
    return { policy: null, name: typeof policy === 'string' ? policy : null, findings };
  }
}

function selectedBy(policy: Policy, subjects: readonly Subject[]): Subject[] {
  return subjects.filter(({ labels }) => policiesOf([policy], labels).length > 0);
}

function vmidsOf(subjects: readonly Subject[]): number[] {
  return [...new Set(subjects.map(({ vmid }) => vmid))];
}

function uncovered(subjects: readonly Subject[]): PolicyDiff['findings'] {
  return subjects
    .filter(({ covered }) => !covered)
    .map(({ vmid, interface: ifname, network }) => ({
      what: `container ${vmid}`,
      ok: false,
      message: `it would not be enforced at ${ifname} of container ${vmid}: nothing enforces policies on network "${network}"`,
      error: null,
    }));
}

interface Candidate extends End {
  network: string | null;
}

/** What an end may be: each interface of a container, or the one thing that it is else. @throws ConfigurationError CONTAINER_UNKNOWN */
async function candidates(deps: Dependencies, text: string, subjects: readonly Subject[]): Promise<Candidate[]> {
  const other = (peer: End['peer'], name: string): Candidate => ({ text: name, peer, covered: false, network: null });
  if (text === 'world') return [other({ kind: 'entity', name: 'world' }, 'the world')];
  if (text === 'host') return [other({ kind: 'entity', name: 'host' }, 'this node')];
  const address = canonicalIp(text);
  if (address === null) {
    const own = subjects.filter(({ vmid }) => String(vmid) === text);
    if (own.length > 0) return own.map(ofSubject);
    throw failure('CONTAINER_UNKNOWN', `container ${text} is not managed by pve-cni; see pve-cni container list`, { vmid: Number(text) });
  }
  const owner = deps.store.attachments.brief().find(({ addresses }) => addresses.some((one) => canonicalIp(one) === address));
  const owned = owner && subjects.find(({ vmid, interface: ifname }) => vmid === owner.vmid && ifname === owner.ifname);
  if (owned) return [ofSubject(owned)];
  const local = await deps.host.localAddresses();
  if (local.ipv4.has(address) || local.ipv6.some((one) => canonicalIp(one.address) === address))
    return [other({ kind: 'entity', name: 'host' }, `this node (${address})`)];
  return [other({ kind: 'range', cidr: `${address}/${address.includes(':') ? 128 : 32}` }, address)];
}

function ofSubject({ vmid, labels, covered, network }: Subject): Candidate {
  return { text: `container ${vmid}`, peer: { kind: 'container', labels }, covered, network };
}

/** Containers with several interfaces are asked about by those on one network, else by those where policies are enforced. */
function pairOf(senders: readonly Candidate[], receivers: readonly Candidate[]): [Candidate, Candidate] {
  const pairs = senders.flatMap((sender) => receivers.map((receiver): [Candidate, Candidate] => [sender, receiver]));
  const rank = ([sender, receiver]: [Candidate, Candidate]) =>
    (sender.network !== null && sender.network === receiver.network ? 4 : 0) + (sender.covered ? 1 : 0) + (receiver.covered ? 1 : 0);
  const [best] = pairs.sort((one, another) => rank(another) - rank(one));
  return best as [Candidate, Candidate];
}

/** What has ports, and what has types instead: a question for an echo when none is given. */
const flows: Record<ExplainQuery['protocol'], { protocol: Flow['protocol']; port: number }> = {
  tcp: { protocol: 'TCP', port: 0 },
  udp: { protocol: 'UDP', port: 0 },
  icmp: { protocol: 'ICMP', port: 8 },
  icmpv6: { protocol: 'ICMPv6', port: 128 },
};

function flowOf(protocol: ExplainQuery['protocol'], port: number | undefined): Flow {
  return { ...flows[protocol], ...(port !== undefined && { port }) };
}
