import Table from 'cli-table3';
import type { Colours, Context } from './context.ts';

const noBorders = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

/** A table without borders; cells are one line each. */
export function table({ colours }: Context, head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const grid = new Table({ chars: noBorders, style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] } });
  grid.push(
    head.map((cell) => colours.dim(cell)),
    ...rows.map((row) => row.map((cell) => String(cell).replace(/\s+/g, ' '))),
  );
  return withoutTrailingSpace(grid.toString());
}

/** Facts of one thing, one a line. */
export function sheet(context: Context, facts: readonly (readonly [string, string | number | null | undefined])[]): string {
  const given = facts.filter(([, value]) => value !== null && value !== undefined && value !== '');
  const grid = new Table({ chars: noBorders, style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] } });
  for (const [name, value] of given) grid.push([context.colours.dim(name), String(value)]);
  return withoutTrailingSpace(grid.toString());
}

/** Parts under each other with an empty line between; empty ones are left out. */
export function paragraphs(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('\n\n');
}

const tones: Record<string, 'green' | 'yellow' | 'red' | 'dim'> = {
  attached: 'green',
  'in force': 'green',
  'not in force': 'red',
  'not enforced': 'red',
  allow: 'green',
  deny: 'red',
  ready: 'green',
  ok: 'green',
  running: 'green',
  reserved: 'green',
  up: 'green',
  degraded: 'red',
  down: 'red',
  unavailable: 'red',
  missing: 'red',
  failed: 'red',
  refused: 'red',
  bad: 'red',
  unsupported: 'red',
  adding: 'yellow',
  pending: 'yellow',
  removing: 'yellow',
  leftover: 'yellow',
  absent: 'yellow',
  differs: 'yellow',
  warning: 'yellow',
  cancelled: 'yellow',
  interrupted: 'yellow',
  kept: 'yellow',
  forwarded: 'green',
  redirected: 'green',
  dropped: 'red',
  error: 'red',
  audit: 'yellow',
  lost: 'yellow',
  waiting: 'yellow',
  good: 'green',
  critical: 'red',
  configured: 'dim',
  off: 'dim',
  stopped: 'dim',
  skipped: 'dim',
};

/** A state in its colour: green good, yellow on its way or odd, red wrong, dim not now. */
export function state(colours: Colours, word: string): string {
  const tone = tones[word];
  return tone ? colours[tone](word) : word;
}

/** 3.2 ms, 1.45 s, 2 min 5 s */
export function duration(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(2)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(minutes / 1440)} days`;
}

/** 512 B, 1.5 kB, 2.5 MB: of a thousand, as networks are sold */
export function size(bytes: number): string {
  const unit = Math.min(4, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  const value = bytes / 1000 ** unit;
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${['B', 'kB', 'MB', 'GB', 'TB'][unit]}`;
}

/** 2026-11-24T09:15:02.123Z → 2026-11-24 09:15:02Z */
export function moment(iso: string | null): string {
  return iso === null ? '-' : iso.replace('T', ' ').replace(/\.\d+Z$/, 'Z');
}

function withoutTrailingSpace(text: string): string {
  return text.replace(/[ \t]+$/gm, '');
}
