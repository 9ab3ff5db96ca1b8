import type { ConfigSnapshot } from '../config/configuration.ts';
import type { CheckView } from '../model/api.ts';
import type { ContainerInterface } from '../model/container.ts';
import { asPveCniError, errorRecord, failure } from '../model/errors.ts';
import type { Requester } from '../model/operation.ts';
import { outsideTrace } from '../observe/tracing.ts';
import { networkOf, render } from './attach.ts';
import { createBalancer } from './balancer.ts';
import { createAgentManager } from './cilium-agent.ts';
import { mapContent, mapViews } from './cilium-maps.ts';
import { identityViews } from './cluster-identities.ts';
import { attachInterface, changeInterface, changeLabels, detachInterface } from './configure.ts';
import type { Dependencies } from './dependencies.ts';
import { createDestroyedWatch } from './destroyed.ts';
import { examine } from './doctor.ts';
import { fileText } from './file-texts.ts';
import { flowLines, flowStatus, flowsView } from './flow-views.ts';
import { answerHook } from './hooks.ts';
import { followHookscript } from './hookscript-property.ts';
import { createIdentities } from './identity.ts';
import type { Manager } from './manager.ts';
import { writeMarkers } from './markers.ts';
import { reportsOfNetworks } from './network-report.ts';
import { createNodeReports } from './node-reports.ts';
import { createObjectManager } from './objects.ts';
import { createOperations } from './operations.ts';
import { createPolicyManager } from './policies.ts';
import { createPolicyQuestions } from './policy-questions.ts';
import { protect, unprotect } from './protect.ts';
import { rebuildJournal } from './rebuild.ts';
import { createReconciler } from './reconcile.ts';
import { createRemoteRoutes } from './remote-routes.ts';
import { restoreContainer } from './restore.ts';
import { createRounds } from './rounds.ts';
import { settle } from './settle.ts';
import { setUp } from './setup.ts';
import { createTraffic, sampleMs, saveMs } from './traffic.ts';
import { addressViews, containerView, debtView, inspectNetwork, networkView, operationView } from './views.ts';
import { attachWaiting } from './waiting.ts';

/** How often it is asked whether labels may have changed, whether a waiting interface has its address, where addresses are. */
const followMs = 500;
/** How often it is asked whether Proxmox’s API is to be asked. */
const remoteMs = 10_000;

export interface RunningManager extends Manager {
  /** Brings journal, files and kernel together, then keeps them so. Resolves when the doors may be opened. */
  start(): Promise<void>;
  /** Lets nothing new in, lets what runs end (this long at most), then stops. */
  stop(graceMs: number): Promise<void>;
}

export function createManager(deps: Dependencies): RunningManager {
  const { store, configuration, host, settings, log, clock } = deps;
  const operations = createOperations(deps);
  const identities = createIdentities(deps, operations);
  const reconciler = createReconciler(deps, operations, identities);
  const balancer = createBalancer(deps);
  const agentManager = createAgentManager(deps, operations);
  const traffic = createTraffic(deps);
  const notices: string[] = [];
  const startedAt = clock();
  const remoteRoutes = createRemoteRoutes(deps);
  const reconcileMs = settings.reconcileSeconds * 1000;
  const rounds = createRounds(log, [
    { what: 'reconcile', everyMs: reconcileMs, work: reconciler.reconcile },
    { what: 'keep the keys of the encryption', everyMs: reconcileMs, work: agentManager.syncCiliumKey },
    { what: 'look for ended containers', everyMs: settings.livenessSeconds * 1000, work: reconciler.reapDead },
    { what: 'look whether labels have changed', everyMs: followMs, work: identities.settleIfChanged },
    { what: 'ask Proxmox’s API', everyMs: Math.min(remoteMs, settings.proxmox.api.everySeconds * 1000), work: deps.remoteStates.look },
    { what: 'look for destroyed containers', everyMs: followMs, work: createDestroyedWatch(deps, operations) },
    { what: 'look for waiting interfaces', everyMs: followMs, work: () => attachWaiting(deps, operations) },
    { what: 'keep the routes to other nodes', everyMs: followMs, work: () => remoteRoutes(false) },
    { what: 'repair the routes to other nodes', everyMs: reconcileMs, work: () => remoteRoutes(true) },
    { what: 'read the counters', everyMs: sampleMs, work: traffic.sample },
    { what: 'keep the history', everyMs: saveMs, work: traffic.save },
  ]);

  async function start(): Promise<void> {
    await host.netns.prepareFolder(settings.netnsDir);
    await deps.cilium.start();
    await configuration.refresh();
    await writeMarkers(deps, configuration.current);
    closeInterrupted();
    if (store.fresh) await rebuild();
    for (const finding of await deps.reservations.load()) log.warn({ finding }, 'an address reservation was put right');
    configuration.onChange(({ files, snapshot }) => {
      log.info({ files }, 'the configuration changed');
      outsideTrace(() => void settleChange(snapshot));
    });
    configuration.start();
    deps.flows.start();
    deps.flowIntake.start();
    balancer.start();
    await traffic.start();
    await traffic.sample();
    void reconciler.reconcile();
    void agentManager.syncCiliumKey();
    rounds.start();
  }

  async function settleChange(snapshot: ConfigSnapshot): Promise<void> {
    // the guard must know of a container before its first start
    await writeMarkers(deps, snapshot).catch((error) => log.error({ err: error }, 'cannot write the markers'));
    await reconciler.reconcile();
  }

  /** A lost journal is noticed by what outlives it; the first start ever finds nothing. */
  async function rebuild(): Promise<void> {
    const found = await rebuildJournal(deps);
    if (!store.rebuilt && found === 0) return;
    const why = store.rebuilt ? `${store.rebuilt.reason}; set aside as ${store.rebuilt.setAside}` : 'its file was lost';
    notices.push(`the state was rebuilt (${why}): ${found} attachments found, the audit log begins anew`);
    log.warn({ ...store.rebuilt, found }, 'the state was lost and is rebuilt');
  }

  /** What was running when the service died is closed as interrupted: every operation has an end. */
  function closeInterrupted(): void {
    for (const operation of store.operations.open()) {
      const message = `${operation.message || operation.kind}: the service ended in the middle; what was begun is settled by the reconcile`;
      store.operations.end({ ...operation, end: clock(), outcome: 'interrupted', message });
    }
  }

  /** what keeps policies from being enforced, as the last reconcile saw it */
  function policyNotices(): string[] {
    const problem = reconciler.problems.get('policies');
    return problem ? [problem.message] : [];
  }

  async function changed(vmid: number, operation: string) {
    await followHookscript(deps, vmid, operation);
    const message = store.operations.get(operation)?.message ?? '';
    const container = await containerView(deps, reconciler, vmid).catch(() => ({
      vmid,
      running: false,
      initPid: null,
      containerId: null,
      netnsPath: '',
      onFailure: 'refuse' as const,
      file: '',
      labels: {},
      interfaces: [],
      place: null,
      problem: null,
      lastRefusal: null,
    }));
    return { container, operation, message };
  }

  return {
    ...createPolicyManager(deps, operations),
    ...createPolicyQuestions(deps),
    ...agentManager,
    ...createObjectManager(deps, operations),
    ...createNodeReports(deps, reconciler, traffic),
    start,
    async stop(graceMs) {
      rounds.stop();
      deps.policies.stop();
      // those who follow have no end of their own
      await deps.flowIntake.stop();
      deps.flows.stop();
      await configuration.stop();
      await balancer.stop();
      operations.close();
      await operations.drain(graceMs);
      await reconciler.idle();
      await traffic.save();
      await deps.cilium.stop();
    },
    hook: (phase, request, requester, signal) => answerHook(deps, operations, phase, request, requester, signal),
    async status() {
      const { available, writable, problems, containers, networks } = configuration.current;
      const lives = store.lives.list();
      return {
        version: deps.version,
        node: deps.node,
        bootId: deps.bootId,
        uptimeSeconds: Math.round((clock() - startedAt) / 1000),
        root: { path: settings.root, available, writable },
        containers: {
          managed: containers.size,
          running: lives.length,
          degraded: new Set(store.attachments.brief().flatMap(({ vmid, phase }) => (phase === 'degraded' ? [vmid] : []))).size,
        },
        networks: networks.size,
        operationsRunning: operations.pending(),
        debts: store.debts.list().map(debtView),
        problems: problems.map(({ file, lastGoodServes, error }) => ({ file, lastGoodServes, error: errorRecord(error) })),
        flows: flowStatus(deps.flows, deps.flowIntake),
        notices: [...notices, ...policyNotices()],
        lastReconcile: reconciler.last === null ? null : new Date(reconciler.last).toISOString(),
      };
    },
    async networks() {
      const reported = await reportsOfNetworks(deps);
      return Promise.all([...configuration.current.networks.values()].map((network) => networkView(deps, reconciler, network, reported)));
    },
    async network(name) {
      const network = networkNamed(name);
      const view = await networkView(deps, reconciler, network, await reportsOfNetworks(deps));
      return { ...view, ...(await fileText(configuration, network.file)) };
    },
    async conflist(name, target) {
      const network = networkNamed(name);
      const configured = target && configuration.current.containers.get(target.vmid)?.interfaces.find((one) => one.name === target.ifname);
      if (target && !configured)
        throw failure(
          'INTERFACE_UNKNOWN',
          `container ${target.vmid} has no interface ${target.ifname}; see pve-cni container show ${target.vmid}`,
          target,
        );
      const wanted: ContainerInterface = configured ?? { name: 'eth0', network: name, address: 'auto' };
      const recorded = target && store.attachments.get(target.vmid, target.ifname);
      if (recorded) return recorded.request.conflist;
      const addresses = target ? store.addresses.list({ vmid: target.vmid, network: name }).map((row) => row.address) : [];
      return render(deps, target?.vmid ?? 0, wanted, network, addresses).conflist;
    },
    async checkNetwork(name) {
      const network = networkNamed(name);
      return checks({
        'what it needs on this node': async () => {
          const differs = await inspectNetwork(deps, network);
          if (differs !== null)
            throw failure(
              'INTERFACE_CONFLICT',
              `network "${name}" is not as it should be on this node: ${differs}; the reconcile repairs it`,
              {
                network: name,
              },
            );
        },
        'its plugins': async () => {
          const { conflist } = render(deps, 0, { name: 'eth0', network: name, address: 'auto' }, network, []);
          const [error] = await deps.runtime.validate(conflist);
          if (error) throw error;
        },
        'STATUS of its plugins': async () => {
          const { conflist } = render(deps, 0, { name: 'eth0', network: name, address: 'auto' }, network, []);
          await deps.runtime.status(conflist);
        },
      });
    },
    async containers() {
      const vmids = new Set([...configuration.current.containers.keys(), ...store.attachments.brief().map(({ vmid }) => vmid)]);
      const inits = await host.findInits();
      const places = await deps.cluster.places();
      const sorted = [...vmids].sort((one, other) => one - other);
      return Promise.all(sorted.map((vmid) => containerView(deps, reconciler, vmid, { inits, places })));
    },
    container: (vmid) => containerView(deps, reconciler, vmid),
    attach: async (vmid, wish, requester) => changed(vmid, await attachInterface(deps, operations, vmid, wish, requester)),
    change: async (vmid, ifname, wish, requester) =>
      changed(
        vmid,
        await changeInterface(deps, operations, vmid, ifname, { network: wish.interface.network, change: () => wish }, requester),
      ),
    detach: async (vmid, ifname, requester) => changed(vmid, await detachInterface(deps, operations, vmid, ifname, requester)),
    protect: async (vmid, ifname, requester) =>
      changed(vmid, await protect(deps, operations, vmid, ifname ?? firstInterface(vmid), requester)),
    unprotect: async (vmid, ifname, requester) =>
      changed(vmid, await unprotect(deps, operations, vmid, ifname ?? firstInterface(vmid), requester)),
    restore: async (vmid, requester) => changed(vmid, await restoreContainer(deps, operations, vmid, requester)),
    label: async (vmid, change, requester) => changed(vmid, await changeLabels(deps, operations, vmid, change, requester)),
    checkContainer: (vmid, options, requester) => checkContainer(vmid, options, requester),
    services: balancer.views,
    async service(name) {
      const view = await balancer.view(name);
      return { ...view, ...(await fileText(configuration, view.file)) };
    },
    addresses: async ({ network }) => addressViews(deps, network),
    flows: (filter, page, signal) => flowsView(deps.flows, filter, { ...page, signal }),
    followFlows: (filter, options, signal) => flowLines(deps.flows, filter, options, signal),
    operations: async ({ limit, vmid, before }) =>
      store.operations.list({ limit, ...(vmid !== undefined && { vmid }), ...(before !== undefined && { before }) }).map(operationView),
    async operation(id) {
      const operation = store.operations.get(id);
      if (!operation) throw failure('OPERATION_UNKNOWN', `there is no operation ${id}; see pve-cni operation list`, { operation: id });
      return operationView(operation);
    },
    setup: (options, requester) => setUp(deps, operations, options, requester),
    doctor: () => examine(deps, reconciler, balancer),
    gc: (options, requester) => reconciler.collect({ ...options, requester }),
    async checkConfiguration() {
      const { problems, networks, containers, policies, services } = await configuration.refresh();
      const bad = problems.map(({ file, error }) => ({ what: file, ok: false, message: error.message, error: errorRecord(error) }));
      const files = new Set(problems.map(({ file }) => file));
      const names = [
        ...[...networks.values(), ...policies.values(), ...services.values()].map(({ file }) => file),
        ...[...containers.keys()].map((vmid) => `containers/${vmid}.yaml`),
      ];
      const good = names.filter((file) => !files.has(file)).map((what) => ({ what, ok: true, message: 'good', error: null }));
      return { ok: bad.length === 0, results: [...bad, ...good] };
    },
    ciliumIdentities: () => identityViews(deps),
    ciliumMaps: () => mapViews(deps),
    ciliumMap: (kind, question) => mapContent(deps, kind, question),
    async reload() {
      await configuration.refresh();
      await writeMarkers(deps, configuration.current);
      // one that runs already may have begun before the files were looked at
      await reconciler.idle();
      await reconciler.reconcile();
      return this.status();
    },
  };

  function networkNamed(name: string) {
    return networkOf(deps, { name: 'eth0', network: name, address: 'auto' }, 0);
  }

  /** which is meant when nobody says */
  function firstInterface(vmid: number): string {
    return configuration.current.containers.get(vmid)?.interfaces[0]?.name ?? 'eth0';
  }

  async function checkContainer(vmid: number, { repair }: { repair: boolean }, requester: Requester): Promise<CheckView> {
    const view = await containerView(deps, reconciler, vmid);
    if (!view.running) throw failure('CONTAINER_NOT_RUNNING', `cannot check container ${vmid}: it is not running`, { vmid });
    const timeoutMs = settings.timeouts.operationSeconds * 1000;
    return operations.run({ kind: 'check', vmid, requester, priority: 5, timeoutMs }, async (context) => {
      const verdict = await checks(
        Object.fromEntries(store.attachments.list({ vmid }).map(({ ifname }) => [ifname, () => checkOne(vmid, ifname, context.signal)])),
      );
      const failed = verdict.results.filter((one) => !one.ok);
      context.say(
        failed.length === 0 ? `container ${vmid} is as it should be` : `container ${vmid}: ${failed.map((one) => one.message).join('; ')}`,
      );
      if (failed.length === 0 || !repair) return verdict;
      const renew = new Map(failed.map(({ what, message }) => [what, message] as const));
      const settled = await settle(deps, vmid, context, { allOrNothing: false, detachTimeoutMs: timeoutMs, deep: true, renew });
      if (settled.errors[0]) throw settled.errors[0];
      return checks(
        Object.fromEntries(store.attachments.list({ vmid }).map(({ ifname }) => [ifname, () => checkOne(vmid, ifname, context.signal)])),
      );
    });
  }

  /** CHECK of one interface; the journal keeps what it said. */
  async function checkOne(vmid: number, ifname: string, signal: AbortSignal): Promise<void> {
    const attachment = store.attachments.get(vmid, ifname);
    if (!attachment) return;
    if (attachment.phase === 'waiting')
      throw failure(
        'INTERFACE_WAITING',
        `${ifname} of container ${vmid} waits behind its gate: ${attachment.error?.message ?? 'it has no address yet'}`,
        { vmid, ifname, network: attachment.network },
      );
    try {
      await deps.runtime.check(attachment.request, { signal });
    } catch (thrown) {
      store.attachments.put({ ...attachment, phase: 'degraded', error: errorRecord(asPveCniError(thrown)) });
      throw thrown;
    }
    if (attachment.phase === 'degraded') store.attachments.put({ ...attachment, phase: 'attached', error: null });
  }
}

/** Runs each look and keeps going: all that is wrong is said at once. */
async function checks(looks: Record<string, () => Promise<void>>): Promise<CheckView> {
  const results: CheckView['results'] = [];
  for (const [what, look] of Object.entries(looks)) {
    try {
      await look();
      results.push({ what, ok: true, message: 'as it should be', error: null });
    } catch (thrown) {
      const error = asPveCniError(thrown);
      results.push({ what, ok: false, message: error.message, error: errorRecord(error) });
    }
  }
  return { ok: results.every(({ ok }) => ok), results };
}
