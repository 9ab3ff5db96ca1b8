import type { Etcd } from '../cilium/etcd.ts';
import type { StoredKey } from '../core/cilium-identities.ts';
import type { Reports } from '../core/services.ts';
import { asPveCniError } from '../model/errors.ts';
import { type BackendReport, backendReport } from '../model/service.ts';
import type { Dependencies } from './dependencies.ts';

/** A node that is silent for so long is down, seconds. */
const leaseSeconds = 15;
const keepMs = 5000;

/** What each node tells of its own containers, in the etcd that the agents share: a key for each node, which goes with the node. */
export interface BackendReports {
  /** Tells what this node knows, and learns what others do; in the background, one round at a time. */
  exchange(own: BackendReport): void;
  /** What was learned last. */
  known(): Reports;
  /** Whether the first round has ended, well or not. */
  readonly asked: boolean;
  stop(): Promise<void>;
}

/** `node`: as its containers' labels name it. `changed` is called when something new was learned. */
export function createBackendReports(options: {
  etcd: Etcd;
  node: string;
  clusterName: string;
  clock: () => number;
  log: Dependencies['log'];
  changed: () => void;
}): BackendReports {
  const { etcd, node, clusterName, clock, log, changed } = options;
  const prefix = `pve-cni/services/v1/${clusterName}/`;
  let nodes = new Map<string, { text: string; report: BackendReport }>();
  let lease: { id: string; keptAt: number } | null = null;
  let told = '';
  let failedAt: number | null = null;
  let unavailable: string | null = null;
  let asked = false;
  let round: Promise<void> | null = null;

  async function run(text: string): Promise<void> {
    try {
      await tell(text);
      learn((await etcd.list(prefix)).keys);
      unavailable = null;
    } catch (thrown) {
      const { message } = asPveCniError(thrown);
      if (unavailable === null) log.warn({ reason: message }, 'the backends of other nodes are not known; what was known last serves');
      unavailable = message;
      failedAt = clock();
    }
    if (!asked) changed();
    asked = true;
  }

  async function tell(text: string): Promise<void> {
    const now = clock();
    if (lease && now - lease.keptAt >= keepMs) lease = (await etcd.keepLease(lease.id)) ? { id: lease.id, keptAt: now } : null;
    if (!lease) {
      lease = { id: await etcd.grantLease(leaseSeconds), keptAt: now };
      told = '';
    }
    if (told === text) return;
    await etcd.put(`${prefix}${encodeURIComponent(node)}`, text, lease.id);
    told = text;
  }

  function learn(found: readonly StoredKey[]): void {
    const fresh = new Map<string, { text: string; report: BackendReport }>();
    for (const { key, value } of found) {
      const text = Buffer.from(value, 'latin1').toString();
      const name = decodeURIComponent(key.slice(prefix.length));
      const before = nodes.get(name);
      const report = before?.text === text ? before.report : parsed(text);
      if (report) fresh.set(name, { text, report });
      else log.warn({ key }, 'a report of another node cannot be read');
    }
    // while etcd was away nobody could keep a lease: who is missing now may only not have come back yet
    if (failedAt !== null && clock() - failedAt < leaseSeconds * 1000)
      for (const [name, report] of nodes) if (!fresh.has(name)) fresh.set(name, report);
    const same = fresh.size === nodes.size && [...fresh].every(([name, { text }]) => nodes.get(name)?.text === text);
    nodes = fresh;
    if (!same) changed();
  }

  return {
    exchange(own) {
      round ??= run(JSON.stringify(own)).finally(() => {
        round = null;
      });
    },
    known: () => ({
      nodes: new Map([...nodes].map(([name, { report }]) => [name, report])),
      // what was read once serves on
      unavailable: nodes.size > 0 ? null : unavailable,
    }),
    get asked() {
      return asked;
    },
    async stop() {
      await round;
    },
  };
}

function parsed(text: string): BackendReport | null {
  try {
    const result = backendReport.safeParse(JSON.parse(text));
    return result.success ? result.data : null;
  } catch {
    return null;
  }
}
