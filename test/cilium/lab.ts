import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { type Agent, createAgent } from '../../src/cilium/agent.ts';
import { agentConfig, ciliumPaths, etcdConfig } from '../../src/core/cilium-agent.ts';
import { type CiliumSettings, ciliumSettings } from '../../src/model/cilium.ts';
import { skip } from '../support/skip.ts';
import { until } from '../support/until.ts';
import { binaries } from './binaries.ts';

/** Real Cilium agents on one machine: a LAN (a network namespace with a bridge, the world's gateway and etcd in it) and nodes on it, each
 *  with network, mount and UTS namespaces of its own. The first node is the test's own namespaces (scripts/isolated), so that containers
 *  and the service need no detour there; others are entered by `enter`. */

export const gateway = '10.99.0.1';
export const gateway6 = 'fd99::1';
const etcdUrl = `http://${gateway}:2379`;

export interface Node {
  name: string;
  /** its address on the LAN */
  address: string;
  /** what runs a command there: [] for the test's own node */
  enter: readonly string[];
  /** `cilium` of its pve-cnid.yaml */
  settings: Record<string, unknown>;
  agent: Agent;
  /** runs a command there and gives its stdout */
  run(...argv: string[]): Promise<string>;
  startAgent(): Promise<void>;
  /** SIGTERM, as systemd stops it */
  stopAgent(): Promise<void>;
  killAgent(): Promise<void>;
  agentLog(): string;
  /** of the first node; elsewhere of what entered the node */
  agentPid(): number;
  paths: ReturnType<typeof ciliumPaths>;
  /** SIGSTOP and SIGCONT: an agent that hangs */
  signalAgent(signal: NodeJS.Signals): void;
}

export interface Lab {
  nodes: Node[];
  first: Node;
  startEtcd(): Promise<void>;
  stopEtcd(): Promise<void>;
  /** etcd's keys below a prefix, key → value */
  etcd(prefix: string): Promise<Map<string, string>>;
  /** the network namespace of the LAN, for what runs on there */
  lanName: string;
  /** runs a command on the LAN, outside of all nodes */
  lan(...argv: string[]): Promise<string>;
  destroy(): Promise<void>;
}

/** Skips loudly where there is no agent. */
export function needsCilium(context: Mocha.Context): void {
  if (process.getuid?.() !== 0) skip(context, 'Cilium’s tests need root');
  if (!existsSync(`${binaries}/cilium-agent`)) skip(context, 'Cilium’s agent is not built: there is no Go');
}

/** `cilium` of pve-cnid.yaml of a node; the first is 1. */
export function nodeSettings(index: number, { settings, ipv6 }: LabOptions = {}): Record<string, unknown> {
  return {
    devices: ['vmbr0'],
    nodeAddress: `10.99.0.${10 + index}`,
    ipv4Range: `10.201.${index}.0/24`,
    ...(ipv6 && { ipv6Range: `fd00:201:${index}::/112` }),
    etcd: { endpoints: [etcdUrl] },
    ...settings,
  };
}

export interface LabOptions {
  /** how many nodes; 1 when absent */
  nodes?: number;
  /** folders of each node's service; of its own when absent */
  folders?: readonly { stateDir: string; runDir: string }[];
  /** the agents carry IPv6, too */
  ipv6?: boolean;
  /** more of `cilium` in pve-cnid.yaml, for each node */
  settings?: Partial<Record<keyof CiliumSettings, unknown>>;
}

export async function createLab(options: LabOptions = {}): Promise<Lab> {
  const { nodes: count = 1, folders = [] } = options;
  const dir = mkdtempSync('/var/lib/pve-cni-test-cilium-');
  const undo: (() => Promise<unknown> | unknown)[] = [];
  let etcd: ChildProcess | null = null;

  // a /run of its own: who removes a folder of the machine's takes away what others have mounted there
  await execa('sh', ['-c', 'mount -t tmpfs none /run; mkdir -p /run/netns /run/lock /run/cilium']);
  undo.push(() => execa('umount', ['-l', '/run']));

  // LAN: a bridge in a namespace of its own
  const lanName = `lan-${process.pid}`;
  await execa('ip', ['netns', 'add', lanName]);
  undo.push(() => execa('ip', ['netns', 'del', lanName]));
  const lan = async (...argv: string[]) => (await execa('ip', ['netns', 'exec', lanName, ...argv])).stdout;
  await lan(
    'sh',
    '-c',
    `ip link set lo up; ip link add lan type bridge; ip addr add ${gateway}/24 dev lan; ip addr add ${gateway6}/64 dev lan nodad; ip link set lan up`,
  );

  const startEtcd = async () => {
    const log = openSync(join(dir, 'etcd.log'), 'a');
    const flags = {
      'data-dir': join(dir, 'etcd'),
      'listen-client-urls': etcdUrl,
      'advertise-client-urls': etcdUrl,
      'listen-peer-urls': 'http://127.0.0.1:2380',
    };
    const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
    etcd = spawn('ip', ['netns', 'exec', lanName, 'etcd', ...args], { stdio: ['ignore', log, log] });
    await until('etcd is healthy', async () => (await lan('curl', '-sf', `${etcdUrl}/health`).catch(() => '')).includes('true'));
  };
  const stopEtcd = () => end(etcd, 'SIGKILL');
  undo.push(stopEtcd);
  await startEtcd();

  const nodes: Node[] = [];
  for (let index = 1; index <= count; index++) {
    const node = await createNode({ dir, index, lanName, wish: options, undo, folders: folders[index - 1] });
    nodes.push(node);
  }
  for (const node of nodes) await node.startAgent();
  return {
    nodes,
    first: nodes[0] as Node,
    startEtcd,
    stopEtcd,
    lanName,
    lan,
    async etcd(prefix) {
      const body = JSON.stringify({
        key: base64(prefix),
        range_end: base64(`${prefix.slice(0, -1)}${String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)}`),
      });
      const { kvs = [] } = JSON.parse(await lan('curl', '-sf', `${etcdUrl}/v3/kv/range`, '-d', body)) as {
        kvs?: { key: string; value?: string }[];
      };
      return new Map(kvs.map(({ key, value = '' }) => [Buffer.from(key, 'base64').toString(), Buffer.from(value, 'base64').toString()]));
    },
    async destroy() {
      for (const action of undo.reverse()) await action();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function createNode(options: {
  dir: string;
  index: number;
  lanName: string;
  wish: LabOptions;
  folders: { stateDir: string; runDir: string } | undefined;
  undo: (() => Promise<unknown> | unknown)[];
}): Promise<Node> {
  const { dir, index, lanName, undo } = options;
  const name = `node${index}`;
  const address = `10.99.0.${10 + index}`;
  const own = index === 1;
  const folder = join(dir, name);
  mkdirSync(folder);
  const paths = ciliumPaths(options.folders ?? { stateDir: join(folder, 'state'), runDir: join(folder, 'run') });
  for (const path of [paths.policies, paths.lib, paths.configDir]) mkdirSync(path, { recursive: true });

  let enter: readonly string[] = [];
  if (!own) {
    // a process that holds the namespaces
    const script = 'hostname "$0"; echo ready; exec sleep infinity';
    // an agent counts mounts of bpf that are hidden below another /sys, too
    const without = 'umount -l /sys/fs/bpf; exec scripts/isolated "$@"';
    const args = ['--uts', '--mount', 'sh', '-c', without, 'node', 'sh', '-c', script, name];
    const holder = spawn('unshare', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    undo.push(() => end(holder, 'SIGKILL'));
    await once(holder.stdout as NodeJS.ReadableStream, 'data');
    enter = ['nsenter', '-t', String(holder.pid), '--net', '--mount', '--uts', '--wd=/', '--'];
  }
  const run = async (...argv: string[]) => {
    const [command = '', ...args] = [...enter, ...argv];
    return (await execa(command, args)).stdout;
  };
  // an uplink to the LAN, on a bridge as Proxmox makes it
  const pid = own ? String(process.pid) : String(enter[2]);
  await execa('ip', ['-n', lanName, 'link', 'add', `up${index}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pid]);
  await execa('ip', ['-n', lanName, 'link', 'set', `up${index}`, 'master', 'lan', 'up']);
  await run(
    'sh',
    '-c',
    `ip link add vmbr0 type bridge; ip link set eth0 master vmbr0 up; ip link set vmbr0 up; ip addr add ${address}/24 dev vmbr0; ip addr add fd99::${10 + index}/64 dev vmbr0 nodad; ip route add default via ${gateway}; ip route add default via ${gateway6}`,
  );
  undo.push(() => run('sh', '-c', 'ip link del eth0; ip link del vmbr0').catch(() => {}));
  await run('sh', '-c', 'mkdir -p /run/cilium && mount -t tmpfs none /run/cilium; mount -t bpf bpf /sys/fs/bpf; mkdir -p /run/netns');
  if (own) undo.push(() => run('sh', '-c', 'umount -l /sys/fs/bpf; umount -l /run/cilium; true'));

  const settings = nodeSettings(index, options.wish);
  const parsed = ciliumSettings.parse(settings);
  symlinkSync(join(binaries, 'bpf'), join(paths.lib, 'bpf'));
  writeFileSync(paths.services, '{ "services": [], "endpoints": [] }\n');
  writeFileSync(paths.etcd, JSON.stringify(etcdConfig(parsed)));
  for (const [flag, value] of Object.entries(agentConfig(parsed, { paths, nodeAddress: address })))
    writeFileSync(join(paths.configDir, flag), value);

  // of another node: as its own mount namespace has it
  const agent = createAgent({ socket: own ? parsed.socket : `/proc/${pid}/root${parsed.socket}` });
  const logFile = join(folder, 'agent.log');
  writeFileSync(logFile, '');
  let child: ChildProcess | null = null;
  const healthy = async () => {
    if (child?.exitCode !== null) throw new Error(`the agent ended:\n${readFileSync(logFile, 'utf8').slice(-3000)}`);
    const text = await run('curl', '-s', '--max-time', '2', '--unix-socket', parsed.socket, 'http://localhost/v1/healthz').catch(() => '');
    return text !== '' && JSON.parse(text).cilium?.state === 'Ok';
  };
  const node: Node = {
    name,
    address,
    enter,
    settings,
    agent,
    paths,
    run,
    async startAgent() {
      const log = openSync(logFile, 'a');
      const [command = '', ...args] = [...enter, join(binaries, 'cilium-agent'), `--config-dir=${paths.configDir}`];
      child = spawn(command, args, {
        stdio: ['ignore', log, log],
        env: { PATH: `${binaries}:/usr/lib/llvm-19/bin:/usr/sbin:/usr/bin:/sbin:/bin`, HOME: '/root', K8S_NODE_NAME: name },
      });
      await until('the agent is healthy', healthy, 60);
    },
    stopAgent: () => end(child, 'SIGTERM'),
    killAgent: () => end(child, 'SIGKILL'),
    signalAgent: (signal) => void child?.kill(signal),
    agentLog: () => readFileSync(logFile, 'utf8'),
    agentPid: () => child?.pid ?? 0,
  };
  undo.push(async () => {
    await node.stopAgent();
    if (own) await cleanDatapath(run);
  });
  return node;
}

/** What an agent leaves in the kernel when it ends: links, and iptables' tables, which were not there before. */
async function cleanDatapath(run: Node['run']): Promise<void> {
  await execa(join(binaries, 'cilium-dbg'), ['post-uninstall-cleanup', '-f', '--all-state'], { reject: false });
  await run(
    'sh',
    '-c',
    'for l in cilium_host cilium_net cilium_vxlan; do ip link del $l 2>/dev/null; done; for t in filter nat mangle raw; do nft delete table ip $t; nft delete table ip6 $t; done 2>/dev/null; true',
  );
}

async function end(child: ChildProcess | null, signal: NodeJS.Signals): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await once(child, 'exit');
  clearTimeout(late);
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
