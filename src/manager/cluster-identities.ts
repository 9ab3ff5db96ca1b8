import type { IdentityView } from '../model/cilium-maps-api.ts';
import { asPveCniError } from '../model/errors.ts';
import type { Requester } from '../model/operation.ts';
import type { Dependencies } from './dependencies.ts';
import type { Operations } from './operations.ts';

/** Looks between the first and the last of an identity that goes, and no more often than every five minutes need be. */
const looks = 3;
const oftenEnoughMs = 5 * 60_000;

/** Removes identities that nobody uses any more from etcd, now and then. They are the cluster's, and waiting is part of it: so they are no
 *  leaks of this node, and `gc` does not show them. Only beside an agent that answers: what runs on a node whose agent is away longer
 *  than its lease has no key in etcd, and with an etcd of that node alone nobody else would speak for it. */
export function createIdentityCollector(deps: Dependencies, operations: Operations): () => Promise<void> {
  const { clusterIdentities, cilium, configuration, settings, clock, log } = deps;
  const intervalMs = Math.min(oftenEnoughMs, (settings.cilium.unusedIdentityMinutes * 60_000) / looks);
  const requester: Requester = { door: 'service', user: 'root' };
  let next = 0;

  return async () => {
    const wanted = [...configuration.current.networks.values()].some(({ type }) => type === 'cilium');
    if (!wanted || clock() < next) return;
    next = clock() + intervalMs;
    const endpoints = await cilium.agent.endpoints().catch((error) => {
      log.info({ code: asPveCniError(error).code }, 'identities are not looked at while the agent is away');
      return null;
    });
    if (!endpoints) return;
    await operations.run({ kind: 'gc', vmid: null, requester, priority: 0, lazy: true, timeoutMs: 120_000 }, async (context) => {
      const gone = await clusterIdentities.collect(new Set(endpoints.map(({ identity }) => identity)));
      if (gone.length === 0) return;
      context.record();
      for (const { id, labels } of gone) log.info({ identity: id, labels }, 'removed an identity that nobody uses');
      context.say(`removed ${gone.length} identities that nobody used for ${settings.cilium.unusedIdentityMinutes} min from etcd`);
    });
  };
}

/** All identities, those of this cluster's containers by number. */
export async function identityViews({ clusterIdentities }: Dependencies): Promise<IdentityView[]> {
  const all = await clusterIdentities.list();
  return all
    .sort((one, other) => one.id - other.id)
    .map(({ id, vmid, labels, nodeNames, unusedSince }) => ({
      id,
      vmid,
      labels,
      nodes: nodeNames,
      unusedSince: unusedSince === null ? null : new Date(unusedSince).toISOString(),
    }));
}
