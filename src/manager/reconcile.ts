import type { Leak } from '../core/leaks.ts';
import type { ObservedInit } from '../core/plan.ts';
import type { GcView, LeakView } from '../model/api.ts';
import { asPveCniError, errorRecord } from '../model/errors.ts';
import type { Requester } from '../model/operation.ts';
import { reserveAll } from './addresses.ts';
import { prepareNetwork } from './attach.ts';
import { createIdentityCollector } from './cluster-identities.ts';
import type { Dependencies } from './dependencies.ts';
import { archiveDestroyed } from './destroyed.ts';
import { createLostEndpoints, type Lost } from './endpoints.ts';
import { inspectGarbage, payDebts, removeLeak } from './garbage.ts';
import type { Identities } from './identity.ts';
import { writeMarkers } from './markers.ts';
import { publishNetworks } from './network-report.ts';
import type { Operations } from './operations.ts';
import { reconcilePolicies } from './policies.ts';
import { settle } from './settle.ts';

/** How many containers are looked into (one process each) at every reconcile; the next ones the next time. */
const deepLooks = 32;

export interface Reconciler {
  /** Makes everything on this node what it should be, as far as it can now. Never throws. */
  reconcile(): Promise<void>;
  /** Waits for a reconcile in progress. */
  idle(): Promise<void>;
  /** The same, with a report of what nothing accounted for. `dryRun` only looks. */
  collect(options: { dryRun: boolean; requester: Requester }): Promise<GcView>;
  /** One container, now. */
  reconcileContainer(vmid: number, deep?: boolean, inits?: ReadonlyMap<number, ObservedInit>): Promise<void>;
  /** Containers whose recorded init has ended without anybody telling us. */
  reapDead(): Promise<void>;
  /** epoch ms of the end of the last whole reconcile */
  readonly last: number | null;
  /** what could not be prepared or reserved lately, by object: network/NAME or container/VMID */
  readonly problems: ReadonlyMap<string, ReturnType<typeof errorRecord>>;
}

export function createReconciler(deps: Dependencies, operations: Operations, identities: Identities): Reconciler {
  const { store, configuration, host, log, clock, settings } = deps;
  const service: Requester = { door: 'service', user: 'root' };
  const lostEndpoints = createLostEndpoints(deps);
  const problems = new Map<string, ReturnType<typeof errorRecord>>();
  const collectIdentities = createIdentityCollector(deps, operations);
  let last: number | null = null;
  let offset = 0;
  let running: Promise<void> | null = null;

  async function reconcile(): Promise<void> {
    // one at a time: who comes meanwhile waits for the one that runs
    running ??= everything()
      .catch((error) => log.error({ err: error }, 'reconcile failed'))
      .finally(() => {
        running = null;
      });
    return running;
  }

  async function everything(): Promise<void> {
    const snapshot = await configuration.refresh();
    await writeMarkers(deps, snapshot);
    await prepareNetworks();
    await note('report', () => publishNetworks(deps, problems));
    await note('policies', () => reconcilePolicies(deps));
    await deps.reservations.follow().catch((error) => log.warn({ error: String(error) }, 'cannot see the reservations of other nodes'));
    await reserveConfigured();
    await archiveDestroyed(deps, operations);
    await reconcileContainers(await lostEndpoints());
    await identities.settle();
    await house({ all: false });
    await note('cilium/identities', collectIdentities);
    last = clock();
  }

  async function prepareNetworks(): Promise<void> {
    for (const network of configuration.current.networks.values()) {
      await note(`network/${network.name}`, async () => {
        if (await prepareNetwork(deps, network, true))
          log.warn({ network: network.name }, 'what the network needs on this node was made or repaired');
      });
    }
  }

  /** Those of other nodes are reserved there: two nodes would take one reservation from each other again and again. */
  async function reserveConfigured(): Promise<void> {
    const places = await deps.cluster.places();
    for (const container of configuration.current.containers.values())
      if (places === null || places.get(container.vmid) === deps.node)
        await note(`container/${container.vmid}`, async () => {
          const [error] = await reserveAll(deps, container);
          if (error) throw error;
        });
  }

  async function reconcileContainers(lost: Lost = new Map()): Promise<void> {
    const vmids = new Set([
      ...configuration.current.containers.keys(),
      ...store.lives.list().map(({ vmid }) => vmid),
      ...store.attachments.brief().map(({ vmid }) => vmid),
    ]);
    const inits = await host.findInits();
    const sorted = [...vmids].sort((one, other) => one - other);
    offset = sorted.length > 0 ? (offset + deepLooks) % sorted.length : 0;
    // a few at a time: thousands of operations that wait would only cost memory
    const left = sorted.entries();
    const worker = async () => {
      for (const [index, vmid] of left)
        await reconcileContainer(vmid, (index - offset + sorted.length) % sorted.length < deepLooks, inits, lost.get(vmid));
    };
    await Promise.all(Array.from({ length: settings.parallel }, worker));
  }

  async function reconcileContainer(
    vmid: number,
    deep = false,
    inits?: ReadonlyMap<number, ObservedInit>,
    renew?: ReadonlyMap<string, string>,
  ): Promise<void> {
    const timeoutMs = settings.timeouts.operationSeconds * 2000;
    await operations
      .run({ kind: 'reconcile', vmid, requester: service, priority: 0, lazy: true, timeoutMs }, async (context) => {
        const settled = await settle(deps, vmid, context, {
          allOrNothing: false,
          detachTimeoutMs: settings.timeouts.pluginSeconds * 1000,
          deep,
          leaveStarting: true,
          ...(inits && { inits }),
          ...(renew && { renew }),
        });
        const parts = [
          ...settled.detached.map((one) => `detached ${one.ifname}`),
          ...settled.attached.map((one) => `attached ${one.ifname}`),
        ];
        if (parts.length > 0) context.say(`container ${vmid}: ${parts.join(', ')}`);
        if (settled.errors[0]) throw settled.errors[0];
      })
      .catch((error) => log.warn({ vmid, error: errorRecord(asPveCniError(error)) }, 'container could not be reconciled'));
  }

  /** Debts, kept addresses whose time has come, and leaks. */
  async function house({ all }: { all: boolean }) {
    await payDebts(deps, all, inTurn).catch((error) => log.error({ err: error }, 'debts could not be paid'));
    const addresses: Leak[] = [];
    const removed: LeakView[] = await operations
      .run({ kind: 'gc', vmid: null, requester: service, priority: 0, lazy: true, timeoutMs: 600_000 }, async (context) => {
        await deps.reservations.expire(clock());
        store.operations.prune(clock() - 90 * 86_400_000);
        const found = await inspectGarbage(deps);
        const leaks = found.filter(({ kind, vmid }) => kind !== 'address' || vmid === null);
        addresses.push(...found.filter((leak) => !leaks.includes(leak)));
        if (leaks.length === 0) return [];
        context.record();
        const removed: LeakView[] = [];
        for (const leak of leaks) removed.push(await removeLeak(deps, leak));
        context.say(`removed ${removed.filter((one) => one.removed).length} of ${leaks.length} leaks`);
        return removed;
      })
      .catch((error) => {
        log.error({ err: error }, 'garbage could not be collected');
        return [];
      });
    for (const leak of addresses) removed.push(await releaseLeak(leak));
    return removed;
  }

  async function releaseLeak(leak: Leak): Promise<LeakView> {
    const timeoutMs = settings.timeouts.operationSeconds * 2000;
    return operations
      .run({ kind: 'gc', vmid: leak.vmid, requester: service, priority: 0, lazy: true, timeoutMs }, async (context) => {
        context.record();
        const removed = await removeLeak(deps, leak);
        context.say(removed.removed ? `released ${leak.what}: ${leak.why}` : `cannot release ${leak.what}`);
        return removed;
      })
      .catch((error) => ({ ...leak, removed: false, error: errorRecord(asPveCniError(error)) }));
  }

  async function inTurn(vmid: number, work: () => Promise<unknown>): Promise<void> {
    const timeoutMs = settings.timeouts.operationSeconds * 2000;
    await operations.run({ kind: 'gc', vmid, requester: service, priority: 0, lazy: true, timeoutMs }, work);
  }

  async function note(object: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      problems.delete(object);
    } catch (thrown) {
      const error = errorRecord(asPveCniError(thrown));
      if (problems.get(object)?.message !== error.message) log.warn({ object, error }, error.message);
      problems.set(object, error);
    }
  }

  return {
    reconcile,
    reconcileContainer,
    idle: async () => {
      await running;
    },
    async collect({ dryRun, requester }) {
      if (dryRun) {
        const leaks = await inspectGarbage(deps);
        return { dryRun, leaks: leaks.map((leak) => ({ ...leak, removed: false, error: null })) };
      }
      log.info({ requester }, 'garbage collection was asked for');
      await reconcileContainers();
      return { dryRun, leaks: await house({ all: true }) };
    },
    async reapDead() {
      for (const life of store.lives.list()) {
        if (life.bootId === deps.bootId && (await host.isAlive({ pid: life.initPid, startTime: life.initStartTime }))) continue;
        log.warn({ vmid: life.vmid, initPid: life.initPid }, 'the container ended and no hook told us');
        await reconcileContainer(life.vmid);
      }
    },
    get last() {
      return last;
    },
    problems,
  };
}
