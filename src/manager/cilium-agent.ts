import { readFlags, writeAgentFiles } from '../cilium/agent-files.ts';
import { type AgentStatus, agentStatus } from '../cilium/agent-status.ts';
import { type Installed, install, type Place, readInstalled } from '../cilium/installation.ts';
import { createIpsecKeys } from '../cilium/ipsec-keys.ts';
import { uninstall } from '../cilium/removal.ts';
import { agentConfig, agentUnit, type CiliumPaths, ciliumPaths, etcdEndpoints, etcdUnit, nodeAddressOf } from '../core/cilium-agent.ts';
import { flagDifferences, needsRestart } from '../core/cilium-differences.ts';
import { type NamedFinding, type PreflightInput, preflight } from '../core/cilium-preflight.ts';
import { statusDifferences } from '../core/cilium-status.ts';
import { secretsFolder } from '../core/ipsec-keys.ts';
import { xfrmPeers } from '../core/xfrm.ts';
import type { DoctorView } from '../model/api.ts';
import type { CiliumConfigView, CiliumInstallRequest, CiliumKeyView, CiliumStatusView, CiliumWorkView } from '../model/cilium-api.ts';
import { asPveCniError, failure } from '../model/errors.ts';
import type { Requester } from '../model/operation.ts';
import { createCiliumWork, type WorkTools } from './cilium-work.ts';
import type { Dependencies } from './dependencies.ts';
import type { Operations } from './operations.ts';

/** Cilium's agent on this node: whether it can live here, what it is to be started with, how it is. */
export interface AgentManager {
  ciliumPreflight(): Promise<DoctorView>;
  ciliumConfig(): Promise<CiliumConfigView>;
  writeCiliumConfig(requester: Requester): Promise<CiliumConfigView>;
  ciliumStatus(): Promise<CiliumStatusView>;
  /** Begins; what becomes of it is asked by `ciliumWork`. @throws CNIError CILIUM_BUSY */
  installCilium(wish: CiliumInstallRequest, requester: Requester): Promise<CiliumWorkView>;
  /** The same for an agent that is installed. @throws CNIError CILIUM_NOT_INSTALLED */
  upgradeCilium(wish: CiliumInstallRequest, requester: Requester): Promise<CiliumWorkView>;
  /** @throws CNIError CILIUM_IN_USE, CILIUM_NOT_INSTALLED */
  uninstallCilium(wish: { force: boolean }, requester: Requester): Promise<CiliumWorkView>;
  /** A new IPsec key for the cluster. @throws CNIError CILIUM_BUSY, CILIUM_KEY_INVALID */
  rotateCiliumKey(wish: { force: boolean }, requester: Requester): Promise<CiliumKeyView>;
  /** the running work, else the last */
  ciliumWork(): Promise<CiliumWorkView>;
}

export interface RunningAgentManager extends AgentManager {
  /** Takes up what other nodes changed: the cluster's IPsec key. Never throws. */
  syncCiliumKey(): Promise<void>;
}

export function createAgentManager(deps: Dependencies, operations: Operations): RunningAgentManager {
  const { host, settings, cilium, log } = deps;
  const work = createCiliumWork(deps, operations);
  const wish = settings.cilium;
  const paths: CiliumPaths = ciliumPaths(settings);
  const keys = createIpsecKeys({ host, shared: `${secretsFolder(settings.root)}/ipsec.keys`, local: paths.ipsecKeys, now: deps.clock });

  async function findings(source: PreflightInput['source']): Promise<NamedFinding[]> {
    const files = wish.etcd === 'embedded' ? {} : wish.etcd;
    const facts = await host.nodeFacts({
      devices: wish.devices,
      etcd: { ...files, endpoints: wish.etcd === 'embedded' ? [] : etcdEndpoints(wish) },
      folder: settings.stateDir,
    });
    return preflight({ settings: wish, facts, networks: rangesOfNetworks(deps), source });
  }

  /** @throws ConfigurationError CONFIG_INVALID when there is none */
  async function nodeAddress(): Promise<string> {
    const devices = await Promise.all(wish.devices.slice(0, 1).map(async (name) => ({ name, addresses: await addressesOf(name) })));
    const address = nodeAddressOf(wish, devices);
    if (address !== null) return address;
    const [first] = wish.devices;
    throw failure(
      'CONFIG_INVALID',
      `cannot say what other nodes reach this one at: ${first ? `${first} has no address` : 'cilium.devices names no device'}; set cilium.devices or cilium.nodeAddress in pve-cnid.yaml`,
      { field: 'cilium.nodeAddress' },
    );
  }

  async function addressesOf(name: string): Promise<string[]> {
    const links = await host.ip.addresses('', name).catch(() => []);
    return links.flatMap(({ addr_info }) =>
      addr_info.flatMap(({ local, prefixlen, scope }) =>
        local && prefixlen !== undefined && scope !== 'link' ? [`${local}/${prefixlen}`] : [],
      ),
    );
  }

  async function place(): Promise<Place> {
    const [pluginDir = '/opt/cni/bin'] = settings.pluginDirs;
    return { host, agent: cilium.agent, settings: wish, paths, node: deps.node, nodeAddress: await nodeAddress(), pluginDir };
  }

  async function put(request: CiliumInstallRequest, { step, signal, id }: WorkTools): Promise<string> {
    await step('look at the node', async () => {
      const bad = (await findings(request.binaries === undefined ? 'image' : 'binaries')).filter(({ state }) => state === 'bad');
      if (bad.length > 0 && !request.force)
        throw failure(
          'CILIUM_PREFLIGHT_FAILED',
          `cannot install Cilium's agent: ${bad.map(({ message, cure }) => `${message} (${cure})`).join('; ')}`,
          { findings: bad.map(({ name }) => name) },
        );
    });
    if (wish.encryption === 'ipsec')
      await step(
        'copy the IPsec key',
        () => keys.ensure(),
        (number) => `number ${number}`,
      );
    return install(await place(), request, { step, signal, id });
  }

  async function installedOrThrow(what: string): Promise<Installed> {
    const installed = await readInstalled({ host, paths });
    if (installed) return installed;
    throw failure('CILIUM_NOT_INSTALLED', `cannot ${what} Cilium's agent: pve-cni has not installed one here`);
  }

  /** Containers that would lose their network with the agent. */
  async function usersOfCilium(): Promise<number[]> {
    const attached = deps.store.attachments
      .brief()
      .filter(({ network }) => deps.configuration.current.networks.get(network)?.type === 'cilium')
      .map(({ vmid }) => vmid);
    const endpoints = ((await cilium.endpoints()) ?? []).map(({ vmid }) => vmid);
    return [...new Set([...attached, ...endpoints])].sort((one, other) => one - other);
  }

  /** What the agent reads beside its flags. @throws CNIError CILIUM_PREFLIGHT_FAILED when the kernel cannot do what is wanted */
  async function prepareEncryption(): Promise<void> {
    if (wish.encryption === 'none') return;
    const lacking = (await findings(null)).find(({ name, state }) => name === 'encryption' && state === 'bad');
    if (lacking)
      throw failure('CILIUM_PREFLIGHT_FAILED', `cannot encrypt: ${lacking.message} (${lacking.cure})`, { findings: ['encryption'] });
    if (wish.encryption === 'ipsec') await keys.ensure();
  }

  async function configView(written: string[]): Promise<CiliumConfigView> {
    const address = await nodeAddress();
    const flags = agentConfig(wish, { paths, nodeAddress: address });
    const running = await runningMap();
    const differences = flagDifferences(flags, await readFlags(host, paths.configDir), running);
    return { folder: paths.configDir, nodeAddress: address, flags, differences, needsRestart: needsRestart(differences), written };
  }

  /** What the agent runs with; null when it does not answer. */
  async function runningMap(): Promise<Record<string, unknown> | null> {
    const config = await cilium.agent.config().catch(() => null);
    return config?.status.daemonConfigurationMap ?? null;
  }

  /** What goes to and comes from each other node, encrypted. */
  async function peersOf({ encryption, nodes }: AgentStatus): Promise<AgentView['peers']> {
    const named = (address: string) => nodes.find((node) => node.address === address)?.name ?? '';
    if (encryption?.mode === 'IPsec') {
      const text = await host.run(['ip', '-statistics', 'xfrm', 'state', 'list', 'nokeys']).catch(() => '');
      return xfrmPeers(text, await nodeAddress()).map(({ address, keys: numbers, sentBytes, receivedBytes }) => {
        const key = `number ${numbers.join(' and ')}`;
        return { node: named(address), address, key, lastHandshake: '', sentBytes, receivedBytes };
      });
    }
    return (encryption?.wireguard?.interfaces ?? []).flatMap(({ peers }) =>
      (peers ?? []).map((peer) => ({
        node: named(peer.endpoint.replace(/:\d+$/, '')),
        address: peer.endpoint,
        key: peer['public-key'],
        lastHandshake: peer['last-handshake-time'],
        sentBytes: peer['transfer-tx'],
        receivedBytes: peer['transfer-rx'],
      })),
    );
  }

  return {
    installCilium: (request, requester) => work.begin('install', requester, (tools) => put(request, tools)),
    async upgradeCilium(request, requester) {
      await installedOrThrow('upgrade');
      return work.begin('upgrade', requester, (tools) => put(request, tools));
    },
    async uninstallCilium({ force }, requester) {
      const installed = await installedOrThrow('uninstall');
      const users = await usersOfCilium();
      if (users.length > 0 && !force)
        throw failure('CILIUM_IN_USE', `cannot uninstall Cilium's agent: ${users.map((vmid) => `container ${vmid}`).join(', ')} use it`, {
          vmids: users,
        });
      return work.begin('uninstall', requester, async ({ step }) => {
        const endpoints = await cilium.agent.endpoints().catch(() => []);
        const endpointLinks = endpoints.filter(({ attachmentId }) => attachmentId !== '').map(({ hostInterface }) => hostInterface);
        return uninstall({ host, agent: cilium.agent, settings: wish, paths }, installed, { step, endpointLinks });
      });
    },
    rotateCiliumKey: ({ force }, requester) =>
      operations.run({ kind: 'rotate-key', vmid: null, requester, priority: 5, timeoutMs: 30_000 }, async (context) => {
        if (wish.encryption !== 'ipsec')
          throw failure('CILIUM_KEY_INVALID', `there is no key to rotate: cilium.encryption is ${wish.encryption}`, {
            encryption: wish.encryption,
          });
        const { from, to } = await keys.rotate({ force });
        const message = `the IPsec key is number ${to} now, after ${from}; other nodes take it up within ${settings.reconcileSeconds} s`;
        context.say(message);
        return { operation: context.id, number: to, message };
      }),
    async syncCiliumKey() {
      if (wish.encryption !== 'ipsec') return;
      await keys.sync().catch((error) => log.warn({ err: asPveCniError(error).message }, 'cannot take up the IPsec key'));
    },
    async ciliumWork() {
      const current = work.current();
      if (current) return current;
      throw failure(
        'OPERATION_UNKNOWN',
        'nothing was installed, upgraded or removed since the service started; see pve-cni operation list',
      );
    },
    async ciliumPreflight() {
      const checks = await findings(null);
      return { ok: checks.every(({ state }) => state === 'ok'), checks };
    },
    ciliumConfig: () => configView([]),
    writeCiliumConfig: (requester) =>
      operations.run({ kind: 'configure', vmid: null, requester, priority: 5, timeoutMs: 30_000 }, async (context) => {
        await prepareEncryption();
        const written = await writeAgentFiles(host, { settings: wish, paths, nodeAddress: await nodeAddress() });
        context.say(
          written.length === 0
            ? 'the agent’s configuration is as it should be'
            : `the agent’s configuration is written: ${written.join(', ')}`,
        );
        return configView(written);
      }),
    async ciliumStatus() {
      const names = [agentUnit, ...(wish.etcd === 'embedded' ? [etcdUnit] : [])];
      const units = await Promise.all(names.map(async (name) => ({ name, state: await host.systemd.state(name).catch(() => 'unknown') })));
      const said = await agentStatus(cilium.agent).catch((error) => asPveCniError(error));
      const running = said instanceof Error ? null : said;
      const endpoints = running ? await cilium.agent.endpoints() : [];
      const config = wish.devices.length > 0 || wish.nodeAddress ? await configView([]).catch(() => null) : null;
      const installed = await readInstalled({ host, paths });
      const differences = statusDifferences({
        settings: wish,
        installed: installed?.version ?? null,
        running: running && { version: running.version, encryption: running.encryption?.mode ?? '' },
        flags: config?.differences ?? [],
        units,
      });
      const healthy = running?.cilium?.state === 'Ok' && running.kvstore?.state === 'Ok' && differences.length === 0;
      return {
        state: running ? (healthy ? 'ok' : 'degraded') : installed === null ? 'off' : 'unreachable',
        installed,
        units,
        agent: running && { ...agentView(running, endpoints), peers: await peersOf(running) },
        differences,
      };
    },
  };
}

type AgentView = NonNullable<CiliumStatusView['agent']>;

/** Ranges of our networks that the agent's own must not touch; those that a bridge of the node gives containers are among the node's. */
function rangesOfNetworks({ configuration }: Dependencies): { name: string; cidr: string }[] {
  return [...configuration.current.networks.values()].flatMap((network) =>
    'subnets' in network ? network.subnets.map(({ cidr }) => ({ name: network.name, cidr })) : [],
  );
}

function agentView(said: AgentStatus, endpoints: readonly { state: string }[]): Omit<AgentView, 'peers'> {
  const { cilium, kvstore, hubble, ipam, routing, masquerading, encryption, controllers, nodes } = said;
  const text = ({ state = '', msg = '' }: { state?: string; msg?: string } = {}) => [state, msg.trim()].filter(Boolean).join(': ');
  return {
    version: said.version,
    state: cilium?.state ?? 'Unknown',
    message: cilium?.msg.trim() ?? '',
    kvstore: text(kvstore),
    hubble: text(hubble),
    addresses: ipam?.status.replace(/,\s*$/, '') ?? '',
    routing: [routing?.['inter-host-routing-mode'], routing?.['tunnel-protocol']].filter(Boolean).join(', '),
    masquerading: masquerading?.enabled ? masquerading.mode : 'off',
    attachMode: said['attach-mode'],
    encryption: [encryption?.mode ?? 'Disabled', encryption?.msg].filter(Boolean).join(': '),
    endpoints: { total: endpoints.length, ready: endpoints.filter(({ state }) => state === 'ready').length },
    failingControllers: (controllers ?? []).flatMap(({ name, status }) =>
      status && status['consecutive-failure-count'] > 0
        ? [{ name, failures: status['consecutive-failure-count'], message: status['last-failure-msg'] }]
        : [],
    ),
    nodes,
  };
}
