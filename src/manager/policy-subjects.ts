import type { Endpoint } from '../cilium/agent.ts';
import { attachmentIdOf } from '../core/cilium-plugin.ts';
import { labelsByKey } from '../core/labels.ts';
import type { Labels } from '../core/policy-verdict.ts';
import type { PolicyView } from '../model/policy-api.ts';
import type { Dependencies } from './dependencies.ts';
import { labelsOf } from './identity.ts';

/** An interface of a container, as policies see it. */
export interface Subject {
  vmid: number;
  interface: string;
  network: string;
  labels: Labels;
  /** whether an enforcer covers its network */
  covered: boolean;
  endpoint: Endpoint | null;
}

/** Every interface that is configured or attached on this node. `endpoints` is null when the agent does not answer. */
export async function subjectsOf(deps: Dependencies, endpoints: readonly Endpoint[] | null): Promise<Subject[]> {
  const { configuration, store } = deps;
  const { containers, networks } = configuration.current;
  const wanted = new Map<string, { vmid: number; interface: string; network: string; attachmentId: string }>();
  for (const { vmid, interfaces } of containers.values())
    for (const { name, network } of interfaces) wanted.set(`${vmid}/${name}`, { vmid, interface: name, network, attachmentId: '' });
  for (const row of store.attachments.brief())
    wanted.set(`${row.vmid}/${row.ifname}`, {
      vmid: row.vmid,
      interface: row.ifname,
      network: row.network,
      attachmentId: attachmentIdOf(row),
    });
  const subjects = [...wanted.values()].map(async ({ attachmentId, ...one }): Promise<Subject | null> => {
    const endpoint = attachmentId === '' ? null : (endpoints?.find((other) => other.attachmentId === attachmentId) ?? null);
    // what the agent holds decides; without an endpoint, what it would be born with
    const labels = endpoint?.labels ?? (await labelsOf(deps, one.vmid, one.network).catch(() => null));
    const network = networks.get(one.network);
    return labels && { ...one, labels: labelsByKey(labels), covered: endpoint !== null || network?.type === 'cilium', endpoint };
  });
  return (await Promise.all(subjects)).filter((one) => one !== null).sort((one, other) => one.vmid - other.vmid);
}

/** When an endpoint was first seen at its revision. */
export type FirstSeen = (endpoint: Endpoint) => number;

/** Remembers when each endpoint was first seen at the revision it has. */
export function createFirstSeen(clock: () => number): FirstSeen {
  let seen = new Map<number, { revision: number; at: number }>();
  return ({ id, policyRevision }) => {
    const known = seen.get(id);
    if (known?.revision === policyRevision) return known.at;
    // endpoints come and go; what is dropped is asked again
    if (seen.size > 10_000) seen = new Map();
    const at = clock();
    seen.set(id, { revision: policyRevision, at });
    return at;
  };
}

type SubjectView = PolicyView['containers'][number];

/** `revision`: the one that has the policies exactly; null: the agent has not. */
export function subjectView(subject: Subject, revision: number | null, firstSeen: FirstSeen): SubjectView {
  const { vmid, network, covered, endpoint } = subject;
  const state = !covered ? 'not-enforced' : !endpoint ? 'absent' : isInForce(endpoint, revision) ? 'in-force' : 'not-in-force';
  return {
    vmid,
    interface: subject.interface,
    network,
    state,
    endpoint: endpoint?.id ?? null,
    revision: endpoint?.policyRevision ?? null,
    since: endpoint ? new Date(firstSeen(endpoint)).toISOString() : null,
  };
}

export function isInForce({ policyRevision }: Endpoint, revision: number | null): boolean {
  return revision !== null && policyRevision >= revision;
}
