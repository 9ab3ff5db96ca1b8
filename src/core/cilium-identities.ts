import { z } from 'zod';
import { vmidOf } from './labels.ts';

/** Identities as Cilium's agents keep them in etcd (Cilium 1.20, pkg/kvstore/allocator):
 *
 *      cilium/state/identities/v1/id/N               → k8s:app=web;k8s:type=container;    for ever
 *      cilium/state/identities/v1/value/LABELS/NODE  → N                                  by a lease of the node's agent
 *
 *  An agent that needs an identity takes the one that its labels have, if any, and writes its node's key. Nobody removes the first
 *  kind but Cilium's operator, which needs Kubernetes. */

export const identityPrefixes = {
  ids: 'cilium/state/identities/v1/id/',
  values: 'cilium/state/identities/v1/value/',
  nodes: 'cilium/state/nodes/v1/',
} as const;

/** Below are reserved ones, above those of other clusters (pkg/identity/numericidentity.go; our agents have the cluster id 0). */
const allocatable = { least: 256, greatest: 65_535 };

export interface StoredKey {
  key: string;
  value: string;
  /** etcd's revision of the last change, in decimal */
  modRevision: string;
}

export interface Identity {
  id: number;
  key: string;
  modRevision: string;
  /** as etcd has them: `k8s:app=web;k8s:type=container;` */
  encoded: string;
  labels: string[];
  /** the container that it is of; null: not one of ours */
  vmid: number | null;
  /** addresses of the nodes that use it */
  nodes: string[];
  /** where nodes that use these labels write their keys */
  usersPrefix: string;
  /** a node uses these labels under another number: two agents once took one each */
  superseded: boolean;
}

/** What is stored, as far as it is what agents write. */
export function identitiesOf(ids: readonly StoredKey[], values: readonly StoredKey[]): Identity[] {
  const users = new Map<string, { node: string; id: string }[]>();
  for (const { key, value } of values) {
    const slash = key.lastIndexOf('/');
    const prefix = key.slice(0, slash + 1);
    users.set(prefix, [...(users.get(prefix) ?? []), { node: key.slice(slash + 1), id: value }]);
  }
  return ids.flatMap(({ key, value: encoded, modRevision }) => {
    const digits = key.slice(identityPrefixes.ids.length);
    if (!key.startsWith(identityPrefixes.ids) || !/^[1-9]\d{0,8}$/.test(digits) || encoded === '') return [];
    // as kvstore.JoinKey does
    const usersPrefix = `${identityPrefixes.values}${encoded}/`.replaceAll(/\/{2,}/g, '/');
    const all = users.get(usersPrefix) ?? [];
    const labels = encoded.split(';').filter(Boolean);
    return [
      {
        id: Number(digits),
        key,
        modRevision,
        encoded,
        labels,
        vmid: vmidOf(labels),
        nodes: all.filter(({ id }) => id === digits).map(({ node }) => node),
        usersPrefix,
        superseded: all.some(({ id }) => id !== digits),
      },
    ];
  });
}

/** Names of nodes by their addresses, as their agents wrote them. */
export function nodeNamesOf(nodes: readonly StoredKey[]): Map<string, string> {
  return new Map(
    nodes.flatMap(({ value }) => {
      const { Name: name, IPAddresses: addresses } = nodeKey.parse(jsonOf(value));
      return name === '' ? [] : addresses.map(({ IP }) => [IP, name] as const);
    }),
  );
}

const nodeKey = z
  .object({ Name: z.string().max(253), IPAddresses: z.array(z.object({ IP: z.string().max(64) })).max(64) })
  .catch({ Name: '', IPAddresses: [] });

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Since when nobody uses an identity, as far as this node has looked: number → the revision that it had, and the time. */
export type Unused = ReadonlyMap<number, { modRevision: string; since: number }>;

/** The same after another look. Who was used, made anew or never removable is not in it. `kept` are those of this node's own
 *  endpoints: their keys are gone while the agent was away for longer than its lease. */
export function stillUnused(before: Unused, found: readonly Identity[], kept: ReadonlySet<number>, now: number): Unused {
  return new Map(
    found.filter(isUnused(kept)).map(({ id, modRevision }) => {
      const known = before.get(id);
      return [id, { modRevision, since: known?.modRevision === modRevision ? known.since : now }] as const;
    }),
  );
}

/** Those that nobody has used for so long that they go, the longest unused first, so many at most. */
export function dueIdentities(
  unused: Unused,
  found: readonly Identity[],
  { now, graceMs, atMost }: { now: number; graceMs: number; atMost: number },
): Identity[] {
  const since = (id: number) => unused.get(id)?.since ?? now;
  return found
    .filter(({ id }) => unused.has(id) && now - since(id) >= graceMs)
    .sort((one, other) => since(one.id) - since(other.id) || one.id - other.id)
    .slice(0, atMost);
}

function isUnused(kept: ReadonlySet<number>) {
  return ({ id, nodes }: Identity) => nodes.length === 0 && id >= allocatable.least && id <= allocatable.greatest && !kept.has(id);
}
