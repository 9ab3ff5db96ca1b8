import { readFile, statfs } from 'node:fs/promises';
import { release } from 'node:os';
import { dirname } from 'node:path';
import { z } from 'zod';
import { asPveCniError } from '../model/errors.ts';
import type { DeviceFacts, KernelProbe, NodeFacts, NodeTool } from '../model/node-facts.ts';
import type { Ip } from './ip.ts';
import { readLink } from './links.ts';
import { namespaceOf } from './processes.ts';
import type { Run } from './run.ts';

export interface NodeFactsQuestion {
  devices: readonly string[];
  etcd: { endpoints: readonly string[]; caFile?: string | undefined; certFile?: string | undefined; keyFile?: string | undefined };
  /** where much is to be written */
  folder: string;
}

/** Looks at what Cilium's agent needs and meets on this node. Changes nothing; kernel features are tried in a network namespace that ends
 *  with the trial. A look that fails says so in its fact and stops no other. */
export type GatherNodeFacts = (question: NodeFactsQuestion) => Promise<NodeFacts>;

export function createGatherNodeFacts({ run, ip }: { run: Run; ip: Ip }): GatherNodeFacts {
  return async ({ devices, etcd, folder }) => {
    const [filesystems, mounts, ours, first, rpFilter, addresses] = await Promise.all([
      readFile('/proc/filesystems', 'utf8'),
      readFile('/proc/self/mounts', 'utf8'),
      namespaceOf('self', 'mnt'),
      namespaceOf(1, 'mnt'),
      readFile('/proc/sys/net/ipv4/conf/all/rp_filter', 'utf8'),
      ip.addresses(),
    ]);
    const own = addresses.flatMap(({ ifname = '', addr_info }) =>
      addr_info.flatMap(({ local, prefixlen, scope }) =>
        local && prefixlen !== undefined && scope !== 'link'
          ? [{ cidr: `${local}/${prefixlen}`, link: ifname, what: 'address' as const }]
          : [],
      ),
    );
    return {
      kernel: {
        release: release(),
        filesystems: filesystems.split('\n').map((line) => line.replace('nodev', '').trim()),
        btf: await readFile('/sys/kernel/btf/vmlinux').then(
          () => true,
          () => false,
        ),
      },
      probes: await probeAll(run),
      mounts: { bpffs: fileSystemsAt(mounts, '/sys/fs/bpf'), ofHost: ours === first },
      rpFilter: Number(rpFilter.trim()),
      devices: await Promise.all(devices.map((name) => deviceFacts(run, name, own))),
      reached: [...own, ...(await routes(run))],
      vxlans: await vxlans(run),
      tools: await versions(run),
      etcd: await Promise.all(etcd.endpoints.map(async (endpoint) => ({ endpoint, problem: await etcdProblem(run, endpoint, etcd) }))),
      firewall: await firewall(run),
      freeMegabytes: await freeMegabytes(folder),
    };
  };
}

const espState =
  'src 192.0.2.1 dst 192.0.2.2 proto esp spi 1 mode tunnel aead rfc4106(gcm(aes)) 0x0123456789abcdef0123456789abcdef01234567 128 output-mark 0xe00 mask 0xf00';

const trials: Record<KernelProbe, readonly string[]> = {
  veth: ['link add probe type veth peer name other'],
  vxlan: ['link add probe type vxlan id 1 dstport 8472'],
  clsact: ['link add probe type veth peer name other'],
  wireguard: ['link add probe type wireguard'],
  esp: [`xfrm state add ${espState}`],
};

async function probeAll(run: Run): Promise<NodeFacts['probes']> {
  const results = await Promise.all(
    Object.entries(trials).map(async ([name, lines]) => {
      const then = name === 'clsact' ? ' && tc qdisc add dev probe clsact' : '';
      const script = `ip -batch -${then}`;
      const outcome = await run(['unshare', '--net', 'sh', '-c', script], { input: `${lines.join('\n')}\n` }).then(
        () => true as const,
        (error) => reasonOf(error),
      );
      return [name, outcome] as const;
    }),
  );
  return Object.fromEntries(results) as NodeFacts['probes']; // one entry a trial
}

/** What the tool itself said. */
function reasonOf(error: unknown): string {
  const { message, context } = asPveCniError(error);
  const stderr = typeof context.stderr === 'string' ? context.stderr : '';
  return (stderr.trim().split('\n')[0] || message).replace(/^(RTNETLINK answers|Error): /, '').replace(/\.$/, '');
}

/** The file systems that are mounted at a path, the last one on top. */
function fileSystemsAt(mounts: string, path: string): string {
  const at = mounts.split('\n').filter((line) => line.split(' ')[1] === path);
  return at.map((line) => line.split(' ')[2] ?? '').join(', ');
}

async function deviceFacts(run: Run, name: string, own: readonly { cidr: string; link: string }[]): Promise<DeviceFacts> {
  const link = await readLink(name);
  return {
    name,
    exists: link !== null,
    up: link?.up ?? false,
    addresses: own.filter((one) => one.link === name).map(({ cidr }) => cidr),
    hooks: link ? await hooksOf(run, name) : [],
  };
}

const linkDetails = z.array(
  z.looseObject({
    ifname: z.string().default(''),
    xdp: z.looseObject({ prog: z.looseObject({ id: z.number(), name: z.string().optional() }).optional() }).optional(),
    linkinfo: z
      .looseObject({ info_kind: z.string().optional(), info_data: z.looseObject({ port: z.number().optional() }).optional() })
      .optional(),
  }),
);
const tcFilters = z.array(
  z.looseObject({ kind: z.string().optional(), options: z.looseObject({ bpf_name: z.string().optional() }).optional() }),
);
const netPrograms = z.array(
  z.looseObject({ tc: z.array(z.looseObject({ kind: z.string().default(''), name: z.string().default('') })).default([]) }),
);

/** Programs of others on a device. tcx is seen by bpftool alone. */
async function hooksOf(run: Run, name: string): Promise<string[]> {
  const ask = async <T extends z.ZodType>(schema: T, argv: readonly [string, ...string[]]): Promise<z.output<T> | null> =>
    run(argv).then(
      (text) => schema.parse(text.trim() === '' ? [] : JSON.parse(text)),
      () => null,
    );
  const links = await ask(linkDetails, ['ip', '-json', '-details', 'link', 'show', 'dev', name]);
  const xdp = (links ?? []).flatMap(({ xdp }) => (xdp?.prog ? [`the XDP program ${xdp.prog.name ?? xdp.prog.id}`] : []));
  const filters = await Promise.all(
    ['ingress', 'egress'].map(async (direction) => {
      const found = await ask(tcFilters, ['tc', '-json', 'filter', 'show', 'dev', name, direction]);
      const others = (found ?? []).filter(({ kind, options }) => kind && options && !isCiliums(options.bpf_name ?? ''));
      return others.map(({ kind, options }) => `the tc filter ${options?.bpf_name ?? kind} (${direction})`);
    }),
  );
  const programs = await ask(netPrograms, ['bpftool', '-j', 'net', 'show', 'dev', name]);
  const tcx = (programs ?? [])
    .flatMap(({ tc }) => tc)
    .filter(({ kind, name }) => kind.startsWith('tcx') && !isCiliums(name))
    .map(({ kind, name }) => `the program ${name} (${kind})`);
  return [...new Set([...xdp, ...filters.flat(), ...tcx])];
}

function isCiliums(program: string): boolean {
  return /^cil_/.test(program);
}

const routeList = z.array(z.looseObject({ dst: z.string(), dev: z.string().default('') }));

async function routes(run: Run): Promise<{ cidr: string; link: string; what: 'route' }[]> {
  const texts = await Promise.all((['-4', '-6'] as const).map((family) => run(['ip', '-json', family, 'route', 'show']).catch(() => '[]')));
  return texts
    .flatMap((text) => routeList.parse(text.trim() === '' ? [] : JSON.parse(text)))
    .filter(({ dst }) => dst !== 'default' && !/^f[ef]/i.test(dst))
    .map(({ dst, dev }) => ({ cidr: dst.includes('/') ? dst : `${dst}/${dst.includes(':') ? 128 : 32}`, link: dev, what: 'route' }));
}

async function vxlans(run: Run): Promise<{ link: string; port: number }[]> {
  const text = await run(['ip', '-json', '-details', 'link', 'show', 'type', 'vxlan']).catch(() => '[]');
  return linkDetails
    .parse(text.trim() === '' ? [] : JSON.parse(text))
    .map(({ ifname, linkinfo }) => ({ link: ifname, port: linkinfo?.info_data?.port ?? 0 }));
}

async function versions(run: Run): Promise<NodeFacts['tools']> {
  const questions: Record<NodeTool, string> = {
    skopeo: '--version',
    umoci: '--version',
    etcd: '--version',
    clang: '--version',
    iptables: '--version',
    ipset: '--version',
    tc: '-V',
    bpftool: 'version',
  };
  const answers = await Promise.all(
    Object.entries(questions).map(async ([tool, option]) => {
      const line = await run([tool, option]).then(
        (text) => text.trim().split('\n')[0] ?? '',
        (error) => (asPveCniError(error).code === 'TOOL_MISSING' ? null : `it fails: ${reasonOf(error)}`),
      );
      return [tool, line] as const;
    }),
  );
  return Object.fromEntries(answers) as NodeFacts['tools']; // one entry a question
}

const etcdHealth = z.looseObject({ health: z.union([z.string(), z.boolean()]), reason: z.string().optional() });

async function etcdProblem(run: Run, endpoint: string, { caFile, certFile, keyFile }: NodeFactsQuestion['etcd']): Promise<string | null> {
  const files = [
    ...(caFile ? ['--cacert', caFile] : []),
    ...(certFile ? ['--cert', certFile] : []),
    ...(keyFile ? ['--key', keyFile] : []),
  ];
  try {
    const text = await run(['curl', '--silent', '--show-error', '--max-time', '3', ...files, `${endpoint}/health`]);
    const { health, reason } = etcdHealth.parse(JSON.parse(text));
    return String(health) === 'true' ? null : reason || 'it says of itself that it is not healthy';
  } catch (error) {
    return error instanceof SyntaxError || error instanceof z.ZodError ? 'it does not answer as etcd does' : reasonOf(error);
  }
}

const chainList = z.looseObject({
  nftables: z.array(
    z.looseObject({
      chain: z.looseObject({ table: z.string(), name: z.string(), hook: z.string().optional(), policy: z.string().optional() }).optional(),
    }),
  ),
});

async function firewall(run: Run): Promise<NodeFacts['firewall']> {
  const listing = await Promise.all([run(['nft', '--json', 'list', 'chains']), run(['nft', 'list', 'ruleset'])]).catch(reasonOf);
  if (typeof listing === 'string') return { unread: listing, filters: null, ports: [], esp: false };
  const [chainText, rules] = listing;
  // the agent opens what goes out, in chains of its own; while it writes them anew the former ones are called OLD_
  const others = rules.replace(/^([ \t]*)chain (?:OLD_)?CILIUM_\w* \{[\s\S]*?^\1\}/gm, '');
  const chains = chainList.parse(JSON.parse(chainText)).nftables.flatMap(({ chain }) => (chain ? [chain] : []));
  const proxmox = chains.find(({ table, name }) => name === 'PVEFW-INPUT' || table.startsWith('proxmox-firewall'));
  const dropping = chains.find(({ hook, policy }) => hook === 'input' && policy === 'drop');
  return {
    unread: null,
    filters: proxmox ? 'Proxmox’s firewall' : dropping ? `the chain ${dropping.name} of table ${dropping.table}` : null,
    ports: [...others.matchAll(/dport \{?\s*([\d, -]+)/g)].flatMap(([, list = '']) => (list.match(/\d+/g) ?? []).map(Number)),
    esp: /\besp\b/.test(others),
  };
}

/** Of the folder, or of what is there above it. */
async function freeMegabytes(folder: string): Promise<number> {
  const found = await statfs(folder).catch(() => null);
  if (found) return Math.floor((found.bavail * found.bsize) / 1024 / 1024);
  return folder === '/' ? 0 : freeMegabytes(dirname(folder));
}
