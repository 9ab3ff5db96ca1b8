import type { Flow, FlowFilter, FlowLoss, FlowNews, KeptFlow } from '../model/flow.ts';
import type { FlowLine, FlowLossView, FlowStatusView, FlowsView, FlowView } from '../model/flow-api.ts';
import type { FlowIntake } from './flow-intake.ts';
import type { FlowLog } from './flow-log.ts';

const iso = (ms: number) => new Date(ms).toISOString();

/** A page of kept flows, and what is missing among them. */
export async function flowsView(
  flows: FlowLog,
  filter: FlowFilter,
  page: { before?: number | undefined; limit: number; signal?: AbortSignal },
): Promise<FlowsView> {
  const { flows: found, next } = await flows.page(filter, page);
  const oldest = found.at(-1)?.time ?? filter.since ?? 0;
  return { flows: found.map(flowView), next, losses: flows.losses(oldest).map(lossView) };
}

/** The last kept ones, oldest first, then news as they come. */
export async function* flowLines(
  flows: FlowLog,
  filter: FlowFilter,
  { last }: { last: number },
  signal: AbortSignal,
): AsyncGenerator<FlowLine> {
  const ended = new AbortController();
  try {
    // both look at the same moment: no flow is missed or told twice between the two
    const news = flows.follow(filter, AbortSignal.any([signal, ended.signal]));
    const before = last > 0 ? (await flows.page(filter, { limit: last, signal })).flows.reverse() : [];
    for (const flow of before) yield { type: 'flow', ...flowView(flow) };
    for await (const one of news) yield lineOf(one);
  } finally {
    ended.abort();
  }
}

function lineOf(news: FlowNews): FlowLine {
  return news.type === 'flow' ? { type: 'flow', ...flowView(news.flow) } : { type: 'loss', ...lossView(news.loss) };
}

function flowView({ time, ...flow }: Flow | KeptFlow): FlowView {
  return { id: null, ...flow, time: iso(time) };
}

function lossView({ place, since, until, count }: FlowLoss): FlowLossView {
  return { place, since: iso(since), until: iso(until), count };
}

/** Flows in the status of the service. */
export function flowStatus(flows: FlowLog, intake: FlowIntake): FlowStatusView {
  const { rows, bytes, lost, gaps, problem } = flows.counts();
  const { hubble, problem: away } = intake.state();
  const sum = Object.values(lost).reduce((one, other) => one + other, 0);
  return { hubble, kept: rows, bytes, lost: sum, gaps, problem: problem ?? away };
}
