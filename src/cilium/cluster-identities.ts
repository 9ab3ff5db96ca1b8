import {
  dueIdentities,
  type Identity,
  identitiesOf,
  identityPrefixes,
  nodeNamesOf,
  stillUnused,
  type Unused,
} from '../core/cilium-identities.ts';
import type { Etcd } from './etcd.ts';

/** The identities of the cluster, and the collection of those that nobody uses: Cilium's own collector lives in its operator, which
 *  needs Kubernetes. Every node looks and collects; to do so at once does no harm.
 *
 *  INVARIANT: what is removed was found unused at every look for the whole grace time, was not made anew meanwhile, and at the moment of
 *  the removal no node's key refers to it: that is one transaction. Locks of Cilium's are not taken. The one that its operator takes
 *  (`locks/id/N`) keeps away other collectors only, which the transaction does as well. The one that agents take to give an identity
 *  (`locks/LABELS`) would close nothing: an agent takes a number that it remembers, after it has the lock, and may not know yet of a
 *  removal that ended before. Then it finds its number removed, and makes it anew itself (pkg/allocator, master key protection). */
export interface ClusterIdentities {
  list(): Promise<ListedIdentity[]>;
  /** Looks, and removes what has been unused for long enough. `kept`: never these. */
  collect(kept: ReadonlySet<number>): Promise<Identity[]>;
  /** of the last look; null: there was none */
  readonly counts: { used: number; unused: number } | null;
  /** since the service began */
  readonly removed: number;
}

export interface ListedIdentity extends Identity {
  /** names of the nodes that use it, or their addresses */
  nodeNames: string[];
  /** epoch ms, as far as this node has looked; null while it is used */
  unusedSince: number | null;
}

export interface IdentitiesOptions {
  etcd: Etcd;
  graceMs: number;
  clock: () => number;
}

/** removed at one look: every agent of the cluster is told of each */
const atMost = 100;

export function createClusterIdentities({ etcd, graceMs, clock }: IdentitiesOptions): ClusterIdentities {
  let unused: Unused = new Map();
  let counts: ClusterIdentities['counts'] = null;
  let removed = 0;

  /** Both kinds of keys as they were at one moment. */
  async function look(): Promise<Identity[]> {
    const ids = await etcd.list(identityPrefixes.ids);
    const values = await etcd.list(identityPrefixes.values, { revision: ids.revision });
    return identitiesOf(ids.keys, values.keys);
  }

  function remove({ id, key, modRevision, usersPrefix, superseded }: Identity): Promise<boolean> {
    const nobody = superseded
      ? ({ prefix: usersPrefix, is: 'without', value: String(id) } as const)
      : ({ prefix: usersPrefix, is: 'empty' } as const);
    return etcd.deleteIf(key, [{ key, modRevision }, nobody]);
  }

  return {
    async list() {
      const found = await look();
      const names = nodeNamesOf((await etcd.list(identityPrefixes.nodes)).keys);
      return found.map((one) => ({
        ...one,
        nodeNames: one.nodes.map((address) => names.get(address) ?? address),
        unusedSince: one.nodes.length > 0 ? null : (unused.get(one.id)?.since ?? null),
      }));
    },
    async collect(kept) {
      const found = await look();
      const now = clock();
      unused = stillUnused(unused, found, kept, now);
      const gone: Identity[] = [];
      for (const one of dueIdentities(unused, found, { now, graceMs, atMost })) if (await remove(one)) gone.push(one);
      removed += gone.length;
      const left = found.length - gone.length;
      const free = found.filter(({ nodes }) => nodes.length === 0).length - gone.length;
      counts = { used: left - free, unused: free };
      return gone;
    },
    get counts() {
      return counts;
    },
    get removed() {
      return removed;
    },
  };
}
