import { createTrafficHistory, frames, type Rate } from '../core/traffic-history.ts';
import type { AllLinkCounters, LinkCounters } from '../host/link-counters.ts';
import type { Attachment } from '../model/attachment.ts';
import { asPveCniError, errorRecord } from '../model/errors.ts';
import type { HistoryPoint, Timeframe, TrafficView } from '../model/panel-api.ts';
import type { Dependencies } from './dependencies.ts';

/** how often the counters are read for the history, ms */
export const sampleMs = frames.hour.stepSeconds * 1000;
/** how often the history is written down: what a crash loses of it, ms */
export const saveMs = 15 * 60_000;
/** panels that ask at once share one look at the counters, ms */
const freshMs = 1000;
/** a rate over less than this says little, ms */
const leastMs = 1000;

/** An interface and its end on the node. */
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
  /** From the container's side; null: its end on the node is not known, or not its alone. */
  now(end: End): TrafficView | null;
  points(timeframe: Timeframe, which?: { vmid: number; ifname?: string | undefined }): HistoryPoint[];
}

export function createTraffic({ store, host, history: file, clock, log }: Dependencies): Traffic {
  const history = createTrafficHistory();
  let readings = new Map<string, Reading>();
  /** links whose counters are nobody's: bridges, and what several interfaces name */
  let shared = new Set<string>();
  let looked: { at: number; counters: AllLinkCounters } | null = null;

  async function sharedOf(ends: readonly End[]): Promise<Set<string>> {
    const [once, found] = [new Set<string>(), new Set<string>()];
    for (const { hostInterface } of ends) {
      if (once.has(hostInterface)) found.add(hostInterface);
      once.add(hostInterface);
    }
    for (const end of ends)
      if (readings.get(keyOf(end))?.link !== end.hostInterface && (await host.readLink(end.hostInterface))?.isBridge)
        found.add(end.hostInterface);
    return found;
  }

  return {
    async start() {
      const saved = await file.read();
      if (saved) history.restore(saved, clock() / 1000);
    },
    async sample() {
      const ends = store.attachments.brief().filter(({ hostInterface }) => hostInterface !== '');
      shared = await sharedOf(ends);
      const at = clock();
      const counters = host.linkCounters();
      const next = new Map<string, Reading>();
      for (const end of ends) {
        const link = end.hostInterface;
        const now = shared.has(link) ? undefined : counters.get(link);
        const before = readings.get(keyOf(end));
        if (now)
          next.set(keyOf(end), { link, at, counters: now, rate: before?.link === link ? rateOf(before, { at, counters: now }) : null });
      }
      readings = next;
      history.add(at / 1000, new Map([...next].flatMap(([key, { rate }]) => (rate ? [[key, rate] as const] : []))));
    },
    async save() {
      // the history is worth no failure
      await file.write(history.save()).catch((error) => log.warn({ error: errorRecord(asPveCniError(error)) }, 'cannot keep the history'));
    },
    now(end) {
      const link = end.hostInterface;
      if (link === '' || shared.has(link)) return null;
      if (!looked || clock() - looked.at > freshMs) looked = { at: clock(), counters: host.linkCounters() };
      const { at } = looked;
      const counters = looked.counters.get(link);
      if (!counters) return null;
      const before = readings.get(keyOf(end));
      const since = before?.link === link ? before : null;
      const rate = since && (at - since.at >= leastMs ? rateOf(since, { at, counters }) : since.rate);
      return view(counters, rate ?? { rx: 0, tx: 0 });
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
