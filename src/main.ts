import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { readAgentState } from './cilium/agent-metrics.ts';
import { createCilium } from './cilium/cilium.ts';
import { createClusterIdentities } from './cilium/cluster-identities.ts';
import { createEtcd } from './cilium/etcd.ts';
import { connectHubble } from './cilium/hubble.ts';
import { createMaps } from './cilium/maps.ts';
import { createAgentPolicies } from './cilium/policies.ts';
import { createPolicyFolder } from './cilium/policy-folder.ts';
import { createCniRuntime } from './cni/create-runtime.ts';
import { createConfiguration } from './config/create.ts';
import { createNetworkReports } from './config/network-reports.ts';
import { loadNodeConfig } from './config/node-config.ts';
import { ciliumPaths, etcdAccess } from './core/cilium-agent.ts';
import { nodeIssues } from './core/policy-issues.ts';
import { createDatapath } from './datapath/datapath.ts';
import { createHost } from './host/host.ts';
import { createLauncher } from './host/launcher.ts';
import { createNotify } from './host/notify.ts';
import { createMetricsServer } from './http/metrics-server.ts';
import { createHttpServer } from './http/server.ts';
import { createManager } from './manager/create-manager.ts';
import { createFlowIntake } from './manager/flow-intake.ts';
import { createFlowLog } from './manager/flow-log.ts';
import { ownersOf } from './manager/flow-owners.ts';
import { pools } from './manager/views.ts';
import { asPveCniError } from './model/errors.ts';
import { version } from './model/version.ts';
import { createAuditFile } from './observe/audit-file.ts';
import { killAt } from './observe/fault.ts';
import { createLogger } from './observe/logger.ts';
import { createMetrics } from './observe/metrics.ts';
import { createOtlpExporter } from './observe/otlp.ts';
import { createTrace, now, traceparent } from './observe/tracing.ts';
import { createProxmoxApi } from './proxmox/api.ts';
import { createTokenFile } from './proxmox/api-token.ts';
import { createCluster } from './proxmox/cluster.ts';
import { createProxmoxFacts } from './proxmox/facts.ts';
import { createHookscriptProperty } from './proxmox/hookscript-property.ts';
import { createRemoteStates } from './proxmox/remote-states.ts';
import { createApiAccess } from './proxmox/setup.ts';
import { createHistoryFile } from './state/history-file.ts';
import { createFlowStore } from './state/open-flow-store.ts';
import { openStore } from './state/open-store.ts';
import { createReservations } from './state/reservations.ts';
import { stateVersion } from './state/state-version.ts';

/** The only place that builds everything: the service from its start to its end. */

/** How long operations in progress may go on when the service is told to stop; systemd's own limit is longer. */
const graceMs = 50_000;

/** The launcher's own bundle beside this one, or its source beside this source. */
const launcherFile = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './host/launcher-process.ts' : './pve-cni-launcher.mjs', import.meta.url),
);

const usage = `pve-cnid ${version}: gives LXC containers CNI networks

Usage: pve-cnid [--config FILE] [--check-state]

  --config FILE   configuration of this node (default /etc/pve-cni/pve-cnid.yaml)
  --check-state   print the version of the state and the newest that this program knows, as JSON; exit 1 when it is newer
  --version       print the version
  --help          print this

With systemd socket activation the socket is taken over from it, else RUNDIR/pve-cni.sock is made.
SIGHUP reads the configuration again; SIGTERM lets operations in progress end, then stops.
`;

async function main(argv: readonly string[]): Promise<void> {
  const command = commandLine(argv);
  if (command === null) return;
  const settings = loadNodeConfig(command.file);
  const stateFile = `${settings.stateDir}/state.db`;
  if (command.checkState) return checkState(stateFile);
  const log = createLogger({ level: settings.log.level });
  const trace = createTrace(killAt(process.env.PVE_CNI_TEST_KILL_AT));
  // Proxmox's name of the node, too
  const node = hostname().split('.', 1)[0] as string;

  const store = openStore({ file: stateFile });
  const launcher = createLauncher(launcherFile);
  const notify = createNotify(process.env, {
    execute: launcher.execute,
    onFailure: (reason) => log.warn({ reason }, 'systemd could not be told'),
  });
  const host = createHost({
    trace,
    runDir: settings.runDir,
    lxcPath: settings.lxcPath,
    execute: launcher.execute,
  });
  const limits = { dnsProxy: settings.cilium.dnsPolicies, ipv6: settings.cilium.ipv6Range !== undefined };
  const configuration = createConfiguration({
    root: settings.root,
    clusterMount: settings.pveDir,
    store: store.configuration,
    transaction: store.transaction,
    policyIssues: ({ object }) => nodeIssues(object, limits),
    log: (message, facts) => log.warn(facts, message),
  });
  const reservations = createReservations({ root: settings.root, store, clock: now, writable: () => configuration.current.writable, node });
  const etcd = createEtcd(etcdAccess(settings.cilium));
  const clusterIdentities = createClusterIdentities({
    etcd,
    graceMs: settings.cilium.unusedIdentityMinutes * 60_000,
    clock: now,
  });
  const metrics = createMetrics({
    version,
    source: async () => ({
      attachments: store.attachments.brief(),
      addresses: store.addresses.list(),
      pools: pools({ store, configuration }),
      debts: store.debts.list().length,
      problems: configuration.current.problems,
      identities: clusterIdentities,
      flows: { ...flows.counts(), connected: flowIntake.state().hubble === 'connected' },
      agent: await readAgentState(cilium, settings.cilium.metricsPort),
    }),
  });
  const exporter = settings.tracing && createOtlpExporter({ endpoint: settings.tracing.otlp, version, node });
  const audit =
    settings.auditLog !== undefined &&
    createAuditFile({ file: settings.auditLog, onFailure: (reason) => log.error({ reason }, 'the audit log cannot be written') });
  const proxmox = createProxmoxFacts({ pveDir: settings.pveDir, lxcPath: settings.lxcPath, readText: host.readTextUpTo });
  const cluster = createCluster({ pveDir: settings.pveDir, lxcPath: settings.lxcPath, node, readText: host.readTextUpTo });
  const token = createTokenFile({ pveDir: settings.pveDir, readText: host.readTextUpTo, write: host.writeDurably });
  const proxmoxApi = createProxmoxApi({ ...settings.proxmox.api, token, pveDir: settings.pveDir, readText: host.readTextUpTo });
  const paths = ciliumPaths(settings);
  const cilium = createCilium({ agentSocket: settings.cilium.socket, pluginSocket: paths.pluginSocket });
  const flowStore = createFlowStore({
    file: `${settings.stateDir}/flows.db`,
    onDamaged: (reason) => log.warn({ reason }, 'the kept flows were damaged and are begun anew'),
  });
  const flows = createFlowLog({ store: flowStore, limits: () => configuration.current.settings.flows, clock: now, log });
  const { hubbleSocket } = settings.cilium;
  const ownerOf = ownersOf({ store, proxmox });
  const flowIntake = createFlowIntake({
    flows,
    present: () => existsSync(hubbleSocket),
    connect: () => connectHubble({ socket: hubbleSocket, ownerOf, clock: now }),
    clock: now,
    log,
  });
  const manager = createManager({
    node,
    version,
    settings,
    bootId: process.env.PVE_CNI_TEST_BOOT_ID ?? (await host.bootId()),
    host,
    store,
    configuration,
    reservations,
    datapath: createDatapath(host, { nativeRange: settings.cilium.nativeRange }),
    cilium,
    policies: createAgentPolicies({
      agent: cilium.agent,
      folder: createPolicyFolder({ path: paths.policies }),
      clusterName: settings.cilium.clusterName,
      clock: now,
      log: (message, facts) => log.warn(facts, message),
    }),
    proxmox,
    networkReports: createNetworkReports({ root: settings.root, clusterMount: settings.pveDir, node, clock: now }),
    remoteStates: createRemoteStates({
      api: proxmoxApi,
      isProxmox: cluster.isProxmox,
      version: proxmox.version,
      everyMs: settings.proxmox.api.everySeconds * 1000,
      clock: now,
      log: (message, facts) => log.warn(facts, message),
    }),
    apiAccess: createApiAccess({
      run: host.run,
      pveum: () => host.findTool('pveum', settings.proxmox.toolDirs),
      token,
      api: proxmoxApi,
      clock: now,
    }),
    hookscripts: createHookscriptProperty({
      pveDir: settings.pveDir,
      snippet: settings.proxmox.snippet,
      run: host.run,
      pct: () => host.findTool('pct', settings.proxmox.toolDirs),
      readText: host.readTextUpTo,
      listFolder: host.listFolder,
      isExecutable: host.isExecutable,
    }),
    cluster,
    flows,
    flowIntake,
    clusterIdentities,
    ciliumMaps: createMaps({
      run: host.run,
      runLines: host.runLines,
      tool: () => host.findTool('cilium-dbg', [paths.current, ...settings.pluginDirs]),
      agentSocket: settings.cilium.socket,
    }),
    etcd,
    history: createHistoryFile(`${settings.stateDir}/history`),
    runtime: createCniRuntime({
      pluginDirs: settings.pluginDirs,
      cacheDir: settings.cniCacheDir,
      pluginTimeoutMs: settings.timeouts.pluginSeconds * 1000,
      trace,
      traceparent,
      execute: launcher.execute,
      pluginEnv: { CILIUM_SOCK: paths.pluginSocket },
    }),
    trace,
    clock: now,
    log,
    onOperation: (operation) => {
      metrics.observeOperation(operation);
      exporter?.export(operation);
      if (audit) audit(operation);
    },
  });
  configuration.onChange(({ snapshot }) => metrics.observeProblems(snapshot.problems));

  let ready = false;
  const server = createHttpServer({ manager, metrics: metrics.render, ready: () => ready, log, version });
  const metricsServer = settings.metrics && createMetricsServer({ listen: settings.metrics.listen, metrics: metrics.render });
  await server.listen(activatedSocket() ?? { path: `${settings.runDir}/pve-cni.sock` });
  await metricsServer?.start();
  // hooks wait at the socket for the rest; the boot need not
  await notify.ready();
  await manager.start();
  ready = true;
  log.info({ version, node, root: settings.root }, 'ready');

  const stop = once(async (signal: string) => {
    log.info({ signal }, 'stopping');
    await notify.stopping();
    await Promise.all([server.stop(graceMs), manager.stop(graceMs), metricsServer?.stop()]);
    await exporter?.stop();
    launcher.stop();
    flowStore.close();
    store.close();
    log.info({}, 'stopped');
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(signal));
  process.on(
    'SIGHUP',
    () => void manager.reload({ door: 'service', user: 'root' }).catch((error) => log.error({ err: error }, 'reload failed')),
  );
}

/** What to do; null when the question was answered by printing. */
function commandLine(argv: readonly string[]): { file: string; checkState: boolean } | null {
  const command = { file: '/etc/pve-cni/pve-cnid.yaml', checkState: false };
  for (let at = 0; at < argv.length; at++) {
    const [option, value] = argv.slice(at);
    if (option === '--config' && value !== undefined) {
      command.file = value;
      at += 1;
    } else if (option === '--check-state') command.checkState = true;
    else if (option === '--version' || option === '--help') {
      process.stdout.write(option === '--version' ? `${version}\n` : usage);
      return null;
    } else {
      process.stderr.write(usage);
      process.exitCode = 2;
      return null;
    }
  }
  return command;
}

function checkState(file: string): void {
  const found = stateVersion(file);
  process.stdout.write(`${JSON.stringify(found)}\n`);
  if (found.version > found.known) process.exitCode = 1;
}

/** The socket that systemd made and passes as descriptor 3: sd_listen_fds(3). */
function activatedSocket(): { fd: number } | null {
  const { LISTEN_PID, LISTEN_FDS } = process.env;
  return Number(LISTEN_PID) === process.pid && Number(LISTEN_FDS) >= 1 ? { fd: 3 } : null;
}

function once(work: (signal: string) => Promise<void>): (signal: string) => Promise<void> {
  let started: Promise<void> | null = null;
  return (signal) => {
    started ??= work(signal).catch((error) => {
      process.stderr.write(`pve-cnid: cannot stop cleanly: ${error}\n`);
      process.exitCode = 1;
    });
    return started;
  };
}

main(process.argv.slice(2)).catch((thrown) => {
  const error = asPveCniError(thrown);
  process.stderr.write(`pve-cnid: ${error.message} (${error.code})\n`);
  if (error.code === 'INTERNAL') process.stderr.write(`${error.cause instanceof Error ? error.cause.stack : ''}\n`);
  process.exit(1);
});
