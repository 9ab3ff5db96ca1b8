import { uptime } from 'node:os';
import { z } from 'zod';
import {
  type ConnectionEntry,
  connectionEntry,
  type EndpointEntry,
  endpointEntry,
  type IpcacheEntry,
  ipcacheEntry,
  type ServiceEntry,
  serviceEntries,
} from '../core/cilium-maps.ts';
import { entryOf, type MapEntry, portsOf } from '../core/policy-map.ts';
import type { Run } from '../host/run.ts';
import type { RunLines } from '../host/run-lines.ts';
import { failure } from '../model/errors.ts';
import { policyDump } from './policy-map.ts';

/** What the kernel holds for Cilium, read with Cilium's own tool: the maps outlive the agent, and can be read while it is away. */
export interface Maps {
  endpoints(): Promise<EndpointEntry[]>;
  ipcache(): Promise<IpcacheEntry[]>;
  /** of every endpoint of this node */
  policies(): Promise<{ endpoint: number; entries: (MapEntry & { protocolName: string; ports: string })[] }[]>;
  services(): Promise<ServiceEntry[]>;
  /** Those that `wanted` says, so many at most, and how many there are; the rest is never held. */
  connections(
    wanted: (entry: ConnectionEntry) => boolean,
    limit: number,
  ): Promise<{ entries: ConnectionEntry[]; found: number; all: number }>;
  /** Addresses of nodes, with the number that encryption and tunnels know them by. */
  nodes(): Promise<{ address: string; node: number; spi: number }[]>;
  encryption(): Promise<Encryption>;
  /** seconds since the host was booted, by which connections expire */
  readonly uptimeSeconds: number;
}

const pairs = z.record(z.string(), z.array(z.string()));
const policyMaps = z.array(z.looseObject({ EndpointID: z.string().regex(/^\d{1,5}$/), Content: policyDump }));
const nodeIds = z.array(z.looseObject({ ID: z.number().int(), Address: z.string(), SPI: z.number().int().default(0) })).nullish();
const encryption = z.looseObject({
  mode: z.string().default(''),
  msg: z.string().default(''),
  ipsec: z
    .looseObject({
      'keys-in-use': z.number().default(0),
      'error-count': z.number().default(0),
      'max-seq-number': z.string().default(''),
      'decrypt-interfaces': z.array(z.string()).nullish(),
    })
    .optional(),
  wireguard: z
    .looseObject({
      interfaces: z
        .array(
          z.looseObject({
            name: z.string().default(''),
            'listen-port': z.number().default(0),
            'public-key': z.string().default(''),
            'peer-count': z.number().default(0),
          }),
        )
        .nullish(),
    })
    .optional(),
});
export type Encryption = z.output<typeof encryption>;

export interface MapsOptions {
  run: Run;
  runLines: RunLines;
  /** where cilium-dbg is, or its name for PATH */
  tool: () => Promise<string>;
  agentSocket: string;
}

export function createMaps({ run, runLines, tool, agentSocket }: MapsOptions): Maps {
  const argv = async (args: readonly string[]): Promise<[string, ...string[]]> => [await tool(), ...args, `--host=unix://${agentSocket}`];

  async function print<T extends z.ZodType>(schema: T, ...args: string[]): Promise<z.output<T>> {
    const text = await named(async () => run(await argv([...args, '-o', 'json']), { timeoutMs: 30_000 }));
    const result = schema.safeParse(jsonOf(text));
    if (result.success) return result.data;
    throw unknownPrint(args, result.error.issues[0]?.message);
  }

  async function listed<Entry>(parse: (key: string, value: string[]) => Entry | null, ...args: string[]): Promise<Entry[]> {
    return Object.entries(await print(pairs, ...args)).map(
      ([key, value]) => parse(key, value) ?? refuse(args, `${key} ${value.join(' ')}`),
    );
  }

  return {
    endpoints: () => listed(endpointEntry, 'bpf', 'endpoint', 'list'),
    ipcache: () => listed(ipcacheEntry, 'bpf', 'ipcache', 'list'),
    async policies() {
      const all = await print(policyMaps, 'bpf', 'policy', 'get', '--all', '-n');
      return all.map(({ EndpointID: endpoint, Content: content }) => ({
        endpoint: Number(endpoint),
        entries: (content ?? []).map((one) => {
          const entry = entryOf(one);
          const { protocol, ports } = portsOf(entry);
          return { ...entry, protocolName: protocol, ports };
        }),
      }));
    },
    async services() {
      const args = ['bpf', 'lb', 'list'];
      return serviceEntries(await print(pairs, ...args)) ?? refuse(args, 'a service');
    },
    async connections(wanted, limit) {
      const args = ['bpf', 'ct', 'list', 'global'];
      const entries: ConnectionEntry[] = [];
      let found = 0;
      let all = 0;
      let odd: string | null = null;
      await named(async () =>
        runLines(await argv(args), (line) => {
          if (line.trim() === '') return;
          const entry = connectionEntry(line);
          if (!entry) odd ??= line;
          else {
            all += 1;
            if (!wanted(entry)) return;
            found += 1;
            if (entries.length < limit) entries.push(entry);
          }
        }),
      );
      return odd === null ? { entries, found, all } : refuse(args, odd);
    },
    async nodes() {
      const rows = (await print(nodeIds, 'bpf', 'nodeid', 'list')) ?? [];
      return rows.map(({ ID: node, Address: address, SPI: spi }) => ({ address, node, spi }));
    },
    encryption: () => print(encryption, 'encrypt', 'status'),
    get uptimeSeconds() {
      return uptime();
    },
  };
}

/** What to do about a tool that is not there. */
async function named<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if ((error as { code?: string }).code !== 'TOOL_MISSING') throw error;
    throw failure(
      'TOOL_MISSING',
      'cannot read Cilium’s eBPF maps: cilium-dbg is not installed; `pve-cni cilium install` brings it, or put it into PATH',
      { argv: ['cilium-dbg'] },
      error,
    );
  }
}

function refuse(args: readonly string[], what: string): never {
  throw unknownPrint(args, what.slice(0, 200));
}

function unknownPrint(args: readonly string[], what: string | undefined) {
  return failure(
    'CILIUM_API_FAILED',
    `cilium-dbg ${args.join(' ')} printed something else than Cilium 1.20 does: ${what ?? 'no JSON'}; use the tool of the agent’s version`,
    { argv: ['cilium-dbg', ...args] },
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
