// bench [--json FILE] [--only NAME,NAME] [--runs N]: what the service costs beside the same work done bare (docs/performance.md).
// Runs as root inside scripts/isolated: `npm run bench` does so.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { attachDetach } from './attach-detach.ts';
import { attach20 } from './attach20.ts';
import { ciliumAttach, ciliumAttach20, ciliumRss } from './cilium.ts';
import { ciliumLabel } from './cilium-label.ts';
import type { Benchmark, Figure } from './figures.ts';
import { foreignStart } from './foreign-start.ts';
import { apiInterfaces } from './interfaces.ts';
import { panelTabs } from './panel.ts';
import { serviceRss } from './service-rss.ts';
import { store10000 } from './store10000.ts';

const benchmarks: readonly Benchmark[] = [
  attachDetach,
  attach20,
  store10000,
  foreignStart,
  serviceRss,
  apiInterfaces,
  panelTabs,
  ciliumAttach,
  ciliumAttach20,
  ciliumLabel,
  ciliumRss,
];

const targets: Record<string, { what: 'ratio' | 'ours'; limit: number }> = {
  'attach.p50': { what: 'ratio', limit: 1.15 },
  'attach.p99': { what: 'ratio', limit: 1.5 },
  'detach.p50': { what: 'ratio', limit: 1.15 },
  'attach20.total': { what: 'ratio', limit: 1.15 },
  'store10000.attach.p50': { what: 'ratio', limit: 1.2 },
  'foreign.start': { what: 'ours', limit: 3 },
  'service.rss': { what: 'ours', limit: 120 },
  'api.interfaces.p99': { what: 'ours', limit: 20 },
  'api.interfaces1000.p99': { what: 'ours', limit: 1000 },
  'ui.tab50': { what: 'ours', limit: 300 },
  'ui.page1000': { what: 'ours', limit: 1000 },
  'cilium.attach.p50': { what: 'ratio', limit: 1.15 },
  'cilium.detach.p50': { what: 'ratio', limit: 1.15 },
  'cilium.attach20.total': { what: 'ratio', limit: 1.15 },
  'cilium.label.ms': { what: 'ours', limit: 5000 },
  'cilium.rss': { what: 'ours', limit: 120 },
};

const { values } = parseArgs({ options: { json: { type: 'string' }, only: { type: 'string' }, runs: { type: 'string', default: '100' } } });
const names = Object.keys(targets);
const only = values.only?.split(',') ?? names;
const unknown = only.filter((name) => !names.includes(name));
const runs = Number(values.runs);
if (unknown.length > 0 || !Number.isInteger(runs) || runs < 1) {
  console.error(
    `bench: ${unknown.length > 0 ? `there is no ${unknown.join(', ')}; there are ${names.join(', ')}` : '--runs must be a number'}`,
  );
  process.exit(2);
}

const measured: Figure[] = [];
for (const benchmark of benchmarks) {
  const wanted = benchmark.figures.filter((name) => only.includes(name));
  if (wanted.length === 0) continue;
  const missing = benchmark.missing?.() ?? null;
  if (missing !== null) {
    console.error(`bench: SKIP ${wanted.join(', ')}: ${missing}`);
    continue;
  }
  console.error(`bench: ${wanted.join(', ')} (${runs} runs of each side)`);
  measured.push(...(await benchmark.run(runs)).filter(({ name }) => wanted.includes(name)));
  // after each: an interrupted run keeps what it has
  if (values.json) writeFileSync(values.json, measured.map((one) => `${JSON.stringify(one)}\n`).join(''));
}
console.log(tableOf(measured));

function tableOf(figures: readonly Figure[]): string {
  const table = new Table({ head: ['name', 'ours', 'bare', 'ratio', 'target', ''], style: { head: [], border: [] } });
  for (const figure of figures) {
    const { name, ours, bare, ratio, unit } = figure;
    const target = targets[name];
    const aim = target ? (target.what === 'ratio' ? `ratio ≤ ${target.limit}` : `≤ ${target.limit} ${unit}`) : '';
    const missed = target && figure[target.what] > target.limit;
    table.push([name, `${ours.toFixed(2)} ${unit}`, `${bare.toFixed(2)} ${unit}`, ratio.toFixed(3), aim, missed ? 'missed' : 'met']);
  }
  return table.toString();
}
