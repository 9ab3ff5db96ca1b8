// Stands in for the manager with fixed views, so that routes and the command are tested alone; the real one is exercised in test/host.
import type { Manager } from '../../src/manager/manager.ts';
import type { AddressView, ContainerView, NetworkView, OperationView, ServiceView, StatusView } from '../../src/model/api.ts';
import type { CiliumConfigView, CiliumStatusView, CiliumWorkView } from '../../src/model/cilium-api.ts';
import type { MapKind } from '../../src/model/cilium-map-kinds.ts';
import type { IdentityView, MapContentOf, MapView } from '../../src/model/cilium-maps-api.ts';
import type { PolicyDiff } from '../../src/model/explain-api.ts';
import type { FlowLossView, FlowView } from '../../src/model/flow-api.ts';
import type { FileReceipt, InterfaceStatus } from '../../src/model/panel-api.ts';
import type { ContainerPolicyView, PolicyReceipt, PolicyView } from '../../src/model/policy-api.ts';

const time = '2026-11-24T09:15:02.123Z';

export const container: ContainerView = {
  vmid: 101,
  running: true,
  initPid: 4242,
  containerId: '0123456789abcdef',
  netnsPath: '/run/netns/ct101',
  onFailure: 'refuse',
  file: 'containers/101.yaml',
  labels: { app: 'web' },
  interfaces: [
    {
      name: 'eth0',
      network: 'web',
      state: 'attached',
      configuredAddress: 'auto',
      addresses: ['10.20.0.10', 'fd00:20::a'],
      mac: '02:00:00:00:00:01',
      mtuBytes: 1500,
      hostInterface: 'veth1234',
      defaultRoute: true,
      since: time,
      error: null,
    },
  ],
  problem: null,
  place: { node: 'pve1', here: true, status: 'running', ha: null, asOf: '2026-11-24T12:00:00.000Z' },
  lastRefusal: null,
};

export const network: NetworkView = {
  name: 'web',
  type: 'bridge',
  file: 'networks/web.yaml',
  state: 'ready',
  bridge: 'cnibr-web',
  subnets: [{ cidr: '10.20.0.0/24', gateway: '10.20.0.1', range: null, size: '253', used: 1 }],
  containers: [101],
  nodes: [{ node: 'pve1', ready: true, message: '', since: '2026-11-24T12:00:00.000Z', online: null }],
  warnings: [],
  problem: null,
};

export const operation: OperationView = {
  id: 'op-1',
  kind: 'attach',
  vmid: 101,
  network: 'web',
  door: 'lxc-hook',
  user: 'root',
  upid: null,
  traceId: '0af7651916cd43dd8448eb211c80319c',
  begin: time,
  end: '2026-11-24T09:15:02.323Z',
  durationMs: 200,
  outcome: 'ok',
  message: 'attached eth0 to web',
  error: null,
  before: null,
  after: null,
  spans: [
    { id: 'a', parent: null, name: 'step:add', startMs: 20, durationMs: 160 },
    { id: 'b', parent: 'a', name: 'plugin:bridge:ADD', startMs: 30, durationMs: 100 },
    { id: 'c', parent: 'a', name: 'plugin:tuning:ADD', startMs: 130, durationMs: 45, error: 'exit 1' },
  ],
};

const address: AddressView = {
  network: 'web',
  address: '10.20.0.10',
  vmid: 101,
  ifname: 'eth0',
  state: 'reserved',
  since: time,
  releaseAt: null,
  inUse: true,
};

const policyMap: MapView = {
  kind: 'policy',
  holds: 'what may pass',
  maps: ['cilium_policy_v3_*'],
  entries: 20,
  capacity: 16_384,
  pressure: 0.8,
  problem: null,
};

const who = { identity: 4711, vmid: 101, name: 'web1' };
const world = { identity: 2, vmid: null, name: 'world' };
const there = { address: '10.201.1.5', port: 80, vmid: 101, name: 'web1' };
const outside = { address: 'fd00::9', port: 4242, vmid: null, name: '' };

const mapContents: { [K in MapKind]: MapContentOf<K> } = {
  endpoints: {
    kind: 'endpoints',
    found: 1,
    entries: [{ address: '10.201.1.5', endpoint: 7, who, interface: 'lxc1234', mac: '02:00:00:00:00:01', hostMac: '02:00:00:00:00:02' }],
  },
  ipcache: {
    kind: 'ipcache',
    found: 2,
    entries: [
      { prefix: '10.201.1.5/32', who, node: '10.99.0.12', encryptKey: 3, flags: [] },
      { prefix: '10.9.0.0/24', who: { identity: 16_777_217, vmid: null, name: '' }, node: '', encryptKey: 0, flags: ['hastunnel'] },
    ],
  },
  policy: {
    kind: 'policy',
    found: 9,
    entries: [
      { endpoint: 7, who, direction: 'ingress', verdict: 'deny', peer: world, protocol: 'TCP', ports: '80-95', packets: 3, bytes: null },
    ],
  },
  ct: {
    kind: 'ct',
    found: 1,
    entries: [
      {
        protocol: 'TCP',
        direction: 'in',
        from: outside,
        to: there,
        related: true,
        expiresInSeconds: 58,
        packets: 0,
        bytes: 0,
        flags: ['SeenNonSyn'],
        began: world,
      },
    ],
  },
  services: {
    kind: 'services',
    found: 1,
    entries: [{ address: '10.96.0.10', port: 80, protocol: 'TCP', flags: ['ClusterIP'], backends: [{ ...there, protocol: 'TCP' }] }],
  },
  encryption: {
    kind: 'encryption',
    mode: 'Wireguard',
    found: 1,
    entries: [{ address: '10.99.0.12', node: 'node2', number: 4, spi: 0 }],
    details: ['cilium_wg0: port 51871, 1 peers'],
  },
};

const identity: IdentityView = {
  id: 4711,
  vmid: 101,
  labels: ['k8s:app=web', 'k8s:type=container', 'k8s:vmid=101'],
  nodes: ['node1'],
  unusedSince: null,
};

const service: ServiceView = {
  name: 'web',
  file: 'services/web.yaml',
  state: 'degraded',
  message: '1 of 2 backends are not up',
  address: '10.96.0.10',
  nodePort: { port: 30_080, inForce: true },
  ports: [{ port: 80, target: 8080, protocol: 'tcp' }],
  matchLabels: { app: 'web' },
  affinity: 'none',
  health: { check: 'http://:8080/healthz', intervalSeconds: 5, timeoutSeconds: 2 },
  inAgent: true,
  backends: [
    { vmid: 101, name: 'web1', node: 'node1', address: '10.244.1.5', up: true, reason: '', since: time },
    { vmid: 102, name: 'web2', node: 'node2', address: '10.244.2.7', up: false, reason: 'Connection refused', since: time },
  ],
};

const status: StatusView = {
  version: '0.1.0',
  node: 'node1',
  bootId: 'b5e8a1c2-0000-4000-8000-000000000000',
  uptimeSeconds: 3700,
  root: { path: '/etc/pve/cni', available: true, writable: true },
  containers: { managed: 1, running: 1, degraded: 0 },
  networks: 1,
  operationsRunning: 0,
  debts: [],
  problems: [],
  flows: { hubble: 'connected', kept: 2, bytes: 40_960, lost: 7, gaps: 1, problem: null },
  notices: [],
  lastReconcile: time,
};

const ciliumConfig: CiliumConfigView = {
  folder: '/var/lib/pve-cni/cilium/agent.d',
  nodeAddress: '192.0.2.10',
  flags: { devices: 'vmbr0', 'routing-mode': 'tunnel' },
  differences: [],
  needsRestart: false,
  written: [],
};

export const ciliumWork: CiliumWorkView = {
  operation: 'op-1',
  what: 'upgrade',
  steps: [],
  state: 'done',
  message: 'Cilium 1.20.2 is healthy',
  error: null,
};

const ciliumStatus: CiliumStatusView = {
  state: 'ok',
  installed: { version: '1.20.2', from: 'quay.io/cilium/cilium:v1.20.2', digest: null, folder: '/var/lib/pve-cni/cilium', time },
  units: [{ name: 'pve-cni-cilium.service', state: 'active' }],
  agent: {
    version: '1.20.2',
    state: 'Ok',
    message: '',
    kvstore: 'Ok: etcd: 1/1 connected',
    hubble: 'Ok',
    addresses: 'IPv4: 1/254 allocated from 10.244.1.0/24',
    routing: 'Tunnel, vxlan',
    masquerading: 'iptables',
    attachMode: 'tcx',
    encryption: 'Wireguard',
    endpoints: { total: 2, ready: 1 },
    failingControllers: [{ name: 'endpoint-gc', failures: 3, message: 'no answer' }],
    nodes: [{ name: 'node2', address: '192.0.2.11', range: '10.244.2.0/24' }],
    peers: [{ node: 'node2', address: '192.0.2.11:51871', key: 'a2V5', lastHandshake: '', sentBytes: 10, receivedBytes: 20 }],
  },
  differences: [],
};

const subject = {
  vmid: 101,
  interface: 'eth0',
  network: 'pods',
  state: 'in-force' as const,
  endpoint: 271,
  revision: 7,
  since: time,
};

const policy: PolicyView = {
  name: 'default-deny',
  kind: 'CiliumNetworkPolicy',
  file: 'policies/default-deny.yaml',
  state: 'in-force',
  directions: ['ingress'],
  containers: [subject],
  problem: null,
  text: 'kind: CiliumNetworkPolicy\n',
  digest: '0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33',
};

const receipt: PolicyReceipt = {
  policy,
  inForce: true,
  revision: 7,
  endpoints: [subject, { ...subject, vmid: 102, endpoint: 272 }],
  operation: 'op-1',
  message: 'policy default-deny is in force',
};

const containerPolicy: ContainerPolicyView = {
  vmid: 101,
  interfaces: [
    {
      name: 'eth0',
      network: 'pods',
      enforcer: 'cilium',
      state: 'in-force',
      endpoint: 271,
      identity: 40_001,
      labels: ['type=container', 'vmid=101'],
      revision: 7,
      enforced: { ingress: true, egress: false },
      policies: [{ name: 'default-deny', directions: ['ingress'] }],
      entries: [
        {
          direction: 'ingress',
          verdict: 'allow',
          peer: 'container 102',
          identity: 40_002,
          protocol: 'TCP',
          ports: '80',
          packets: 3,
          bytes: 210,
        },
      ],
      differences: [],
    },
  ],
};

const forwarded: FlowView = {
  id: 11,
  time,
  origin: 'hubble',
  verdict: 'forwarded',
  direction: 'ingress',
  protocol: 'tcp',
  from: { kind: 'container', vmid: 101, name: 'web', address: '10.240.0.10', port: 43_210 },
  to: { kind: 'container', vmid: 102, name: '102', address: '10.240.0.11', port: 5432 },
  reason: '',
  policies: ['web-to-db'],
  detail: '',
};

const dropped: FlowView = {
  ...forwarded,
  id: 12,
  verdict: 'dropped',
  from: { kind: 'world', vmid: null, name: '', address: '203.0.113.7', port: 50_000 },
  reason: 'no policy allows it',
  policies: [],
};

const loss: FlowLossView = { place: 'away', since: '2026-11-24T09:10:00.000Z', until: time, count: null };

const file = { text: 'type: bridge\n', digest: '0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33' };

const written: FileReceipt = { file: 'networks/web.yaml', digest: file.digest, operation: 'op-1', message: 'network web is written' };

const policyDiff = (after: string): PolicyDiff => ({
  name: 'default-deny',
  before: 'a\n',
  after,
  diff: '--- policies/default-deny.yaml\n+++ policies/default-deny.yaml\n@@ -1,1 +1,1 @@\n-a\n+b\n',
  selects: { before: [101, 102], after: [101] },
  findings: [{ what: 'policy', ok: false, message: 'would not be enforced', error: null }],
});

const interfaceStatus: InterfaceStatus = {
  vmid: 101,
  container: 'web1',
  running: true,
  ifname: 'eth0',
  network: 'web',
  type: 'bridge',
  state: 'attached',
  message: null,
  addresses: ['10.20.0.10/24'],
  configured: { network: 'web', address: 'auto', defaultRoute: null },
  mac: '02:00:00:00:00:01',
  mtu: 1500,
  hostIfname: 'veth1234',
  since: time,
  defaultRoute: true,
  names: [],
  enforced: null,
  traffic: { rxBytes: 2_500_000, txBytes: 1000, rxPackets: 9, txPackets: 8, rxDrops: 0, txDrops: 0, rxRate: 125_000, txRate: 0 },
};

const points = [
  { time: 1_795_511_700, rxRate: 1000, txRate: 2000 },
  { time: 1_795_511_710, rxRate: null, txRate: null },
];

/** What was asked of the manager: method and arguments. */
export type Calls = [method: string, ...args: unknown[]][];

/** A manager of one network and one container; every call is noted in `calls`. */
export function fixedManager(calls: Calls, changes: Partial<Manager> = {}): Manager {
  const change = { container, operation: 'op-1', message: 'done' };
  const check = { ok: true, results: [{ what: 'eth0', ok: true, message: 'as it was made', error: null }] };
  const manager: Manager = {
    hook: async () => ({ message: 'attached eth0 to web (10.20.0.10)', warnings: ['eth1 is down'] }),
    status: async () => status,
    ciliumStatus: async () => ciliumStatus,
    ciliumPreflight: async () => ({ ok: true, checks: [{ name: 'etcd', state: 'ok', message: 'healthy', cure: '' }] }),
    installCilium: async () => ({ ...ciliumWork, what: 'install' }),
    upgradeCilium: async () => ciliumWork,
    uninstallCilium: async () => ({ ...ciliumWork, what: 'uninstall' }),
    rotateCiliumKey: async () => ({ operation: 'op-1', number: 4, message: 'the IPsec key is number 4 now' }),
    ciliumWork: async () => ciliumWork,
    ciliumConfig: async () => ciliumConfig,
    writeCiliumConfig: async () => ({ ...ciliumConfig, written: ['devices'] }),
    policies: async () => [policy],
    policy: async () => policy,
    applyPolicy: async () => receipt,
    removePolicy: async () => ({ ...receipt, policy: null, message: 'policy default-deny is removed' }),
    checkPolicy: async () => check,
    containerPolicy: async () => containerPolicy,
    networks: async () => [network],
    network: async () => ({ ...network, ...file }),
    conflist: async () => ({ cniVersion: '1.1.0', name: 'web', plugins: [{ type: 'bridge', mtu: 1500 }] }),
    checkNetwork: async () => check,
    containers: async () => [container],
    container: async () => container,
    attach: async () => change,
    detach: async () => change,
    label: async () => change,
    restore: async () => change,
    protect: async () => change,
    unprotect: async () => change,
    checkContainer: async () => check,
    change: async () => change,
    applyNetwork: async () => written,
    removeNetwork: async () => ({ ...written, digest: null, message: 'network web is removed' }),
    applyService: async () => ({ ...written, file: 'services/web.yaml', message: 'service web is written' }),
    removeService: async () => ({ ...written, file: 'services/web.yaml', digest: null, message: 'service web is removed' }),
    settings: async () => ({
      ...file,
      settings: { releaseAfterHours: 24, identityTags: ['web'], flows: { retentionDays: 7, maxMegabytes: 512 } },
      problem: null,
    }),
    applySettings: async () => ({ ...written, file: 'settings.yaml', message: 'the settings of the cluster are written' }),
    diffPolicy: async (after) => policyDiff(after),
    explain: async () => ({
      verdict: 'deny',
      enforced: true,
      by: { policy: 'default-deny', rule: null },
      sentence: 'container 101 may not reach container 102 at tcp/5432: policy default-deny closes what container 102 receives',
      nearest: { policy: 'web-to-db', rule: 'ingress[0]', change: 'add tcp/5432 to its ports' },
    }),
    addresses: async () => [address],
    addressUse: async () => [{ network: 'web', family: 'ipv4', range: '10.20.0.2-10.20.0.254', size: 253, used: 1, kept: 0, free: 252 }],
    interfaces: async () => [
      interfaceStatus,
      { ...interfaceStatus, vmid: 102, state: 'failed', message: 'the pool is empty', traffic: null },
    ],
    containerInterfaces: async () => [interfaceStatus],
    topology: async () => ({
      nodes: [
        { id: 'uplink:eth0', kind: 'uplink', name: 'eth0', state: 'good', detail: 'up' },
        { id: 'bridge:cnibr-web', kind: 'bridge', name: 'cnibr-web', state: 'good', detail: 'up' },
        { id: 'network:web', kind: 'network', name: 'web', state: 'good', detail: 'bridge, 10.20.0.0/24', network: 'web' },
        { id: 'container:101', kind: 'container', name: 'web1', state: 'critical', detail: 'running, 1 interface', vmid: 101 },
      ],
      edges: [
        { from: 'bridge:cnibr-web', to: 'uplink:eth0', label: 'NAT', state: 'good' },
        { from: 'network:web', to: 'bridge:cnibr-web', state: 'good' },
        { from: 'container:101', to: 'network:web', label: 'eth0', state: 'critical' },
      ],
    }),
    history: async (timeframe) => ({
      timeframe,
      stepSeconds: 10,
      points,
      bucketSeconds: 60,
      operations: [{ time: 1_795_511_700, kind: 'attach', count: 3, failed: 1, p50Ms: 80, p99Ms: 95 }],
    }),
    containerHistory: async (_vmid, { timeframe }) => ({ timeframe, stepSeconds: 10, points }),
    services: async () => [service],
    service: async () => ({ ...service, ...file }),
    operations: async () => [{ ...operation, spans: [] }],
    operation: async () => operation,
    flows: async () => ({ flows: [dropped, forwarded], next: 11, losses: [loss] }),
    followFlows: async function* () {
      yield { type: 'flow', ...forwarded };
      yield { type: 'loss', ...loss };
    },
    setup: async ({ dryRun }) => ({ dryRun, steps: [{ what: 'user pve-cni@pve', state: 'kept', message: '' }] }),
    doctor: async () => ({ ok: true, checks: [{ name: 'plugins', state: 'ok', message: 'all there', cure: '' }] }),
    gc: async ({ dryRun }) => ({
      dryRun,
      leaks: [
        { kind: 'pin', what: '/run/netns/ct102', why: 'container 102 is gone', vmid: 102, network: null, removed: !dryRun, error: null },
      ],
    }),
    checkConfiguration: async () => ({ ok: true, results: [] }),
    ciliumMaps: async () => [policyMap, { ...policyMap, kind: 'ct', entries: null, pressure: null, problem: 'cilium-dbg is not there' }],
    ciliumMap: async (kind) => mapContents[kind],
    ciliumIdentities: async () => [identity, { ...identity, id: 5001, vmid: null, nodes: [], unusedSince: time }],
    reload: async () => status,
    ...changes,
  };
  // the entries keep their types: only a note is put before each
  return Object.fromEntries(
    Object.entries(manager).map(([method, work]) => [
      method,
      (...args: unknown[]) => {
        calls.push([method, ...args]);
        return (work as (...args: unknown[]) => unknown)(...args);
      },
    ]),
  ) as unknown as Manager;
}
