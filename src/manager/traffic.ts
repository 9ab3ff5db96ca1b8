import { createTrafficHistory, frames, type Rate } from '../core/traffic-history.ts';
import type { LinkCounters } from '../host/link-counters.ts';
import type { Attachment } from '../model/attachment.ts';
import { asPveCniError, errorRecord } from '../model/errors.ts';
import type { HistoryPoint, Timeframe, TrafficView } from '../model/panel-api.ts';
import type { Dependencies } from './dependencies.ts';

/** how often the counters are read for the history, ms */
export const sampleMs = frames.hour.stepSeconds * 1000;
/** how often the history is written down: what a crash loses of it, ms */
export const saveMs = 15 * 60_000;
/** panels that ask at once share one look at the counters, ms */
const freshMs = 500;
/** a rate over less than this says little, ms */
const leastMs = 1000;

type End = Pick<Attachment, 'vmid' | 'ifname' | 'hostInterface'>;
interface Reading {
  link: string;
  at: number;
  counters: LinkCounters;
  /** of the time before it; null: it is the first */
  rate: Rate | null;
}

/** What passes through the interfaces of this node: now, and over time. */
export interface Traffic {
  start(): Promise<void>;
  sample(): Promise<void>;
  save(): Promise<void>;
  /** What the ends on the node say now, from the container's side. */
  now(): Promise<TrafficNow>;
  points(timeframe: Timeframe, which?: { vmid: number; ifname?: string | undefined }): HistoryPoint[];
}

export interface TrafficNow {
  /** null: nothing is known of the interface's end on the node */
  of(vmid: number, ifname: string): TrafficView | null;
}

interface Look {
  at: number;
  counters: ReadonlyMap<string, LinkCounters>;
  /** vmid/ifname → link */
  ends: ReadonlyMap<string, string>;
}

export function createTraffic({ store, host, history: file, clock, log }: Dependencies): Traffic {
  const history = createTrafficHistory();
  const bridges = new Map<string, boolean>();
  let readings = new Map<string, Reading>();
  let looked: { at: number; look: Promise<Look> } | null = null;

  /** Ends that are one interface's alone: the counters of a bridge, or of a link that several name, are nobody's. */
  async function ends(): Promise<Map<string, string>> {
    const rows = store.attachments.brief().filter(({ hostInterface }) => hostInterface !== '');
    const named = new Map<string, number>();
    for (const { hostInterface } of rows) named.set(hostInterface, (named.get(hostInterface) ?? 0) + 1);
    const own: [string, string][] = [];
    for (const row of rows)
      if (named.get(row.hostInterface) === 1 && !(await isBridge(row.hostInterface))) own.push([keyOf(row), row.hostInterface]);
    return new Map(own);
  }

  async function isBridge(link: string): Promise<boolean> {
    const known = bridges.get(link);
    if (known !== undefined) return known;
    const found = await host.readLink(link);
    if (bridges.size > 10_000) bridges.clear();
    if (found) bridges.set(link, found.isBridge);
    return found?.isBridge ?? false;
  }

  async function look(): Promise<Look> {
    const [counters, own] = await Promise.all([host.linkCounters(), ends()]);
    return { at: clock(), counters, ends: own };
  }

  return {
    async start() {
      const saved = await file.read();
      if (saved) history.restore(saved, clock() / 1000);
    },
    async sample() {
      const { at, counters, ends } = await look();
      const next = new Map<string, Reading>();
      for (const [key, link] of ends) {
        const now = counters.get(link);
        const before = readings.get(key);
        if (now) next.set(key, { link, at, counters: now, rate: before?.link === link ? rateOf(before, { at, counters: now }) : null });
      }
      readings = next;
      history.add(at / 1000, new Map([...next].flatMap(([key, { rate }]) => (rate ? [[key, rate] as const] : []))));
    },
    async save() {
      // the history is worth no failure
      await file.write(history.save()).catch((error) => log.warn({ error: errorRecord(asPveCniError(error)) }, 'cannot keep the history'));
    },
    async now() {
      if (!looked || clock() - looked.at > freshMs) looked = { at: clock(), look: look() };
      const { at, counters, ends } = await looked.look;
      return {
        of(vmid, ifname) {
          const key = keyOf({ vmid, ifname });
          const link = ends.get(key);
          const now = link === undefined ? undefined : counters.get(link);
          if (!now) return null;
          const before = readings.get(key);
          const since = before?.link === link ? before : undefined;
          const rate = since && (at - since.at >= leastMs ? rateOf(since, { at, counters: now }) : since.rate);
          return view(now, rate ?? { rx: 0, tx: 0 });
        },
      };
    },
    points(timeframe, which) {
      const { vmid, ifname } = which ?? {};
      const wanted = ifname === undefined ? `${vmid}/` : keyOf({ vmid: vmid ?? 0, ifname });
      const isChosen = (key: string) => vmid === undefined || (ifname === undefined ? key.startsWith(wanted) : key === wanted);
      return history.points(timeframe, clock() / 1000, isChosen);
    },
  };
}

function keyOf({ vmid, ifname }: Pick<End, 'vmid' | 'ifname'>): string {
  return `${vmid}/${ifname}`;
}

/** What the container receives its end on the node transmits. null: the link is another by now, and counts anew. */
function rateOf(before: Pick<Reading, 'at' | 'counters'>, after: Pick<Reading, 'at' | 'counters'>): Rate | null {
  const seconds = (after.at - before.at) / 1000;
  const rx = after.counters.transmittedBytes - before.counters.transmittedBytes;
  const tx = after.counters.receivedBytes - before.counters.receivedBytes;
  return seconds <= 0 || rx < 0 || tx < 0 ? null : { rx: rx / seconds, tx: tx / seconds };
}

function view(counters: LinkCounters, { rx, tx }: Rate): TrafficView {
  return {
    rxBytes: counters.transmittedBytes,
    txBytes: counters.receivedBytes,
    rxPackets: counters.transmittedPackets,
    txPackets: counters.receivedPackets,
    rxDrops: counters.transmittedDrops,
    txDrops: counters.receivedDrops,
    rxRate: Math.round(rx),
    txRate: Math.round(tx),
  };
}
