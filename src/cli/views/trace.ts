import type { OperationView } from '../../model/api.ts';
import type { Context } from '../context.ts';
import { duration } from '../output.ts';

type Span = OperationView['spans'][number];

const glyphs = {
  unicode: { branch: '├─ ', last: '└─ ', through: '│  ', gap: '   ', bar: '█', thin: '▏' },
  ascii: { branch: '|- ', last: '`- ', through: '|  ', gap: '   ', bar: '#', thin: '|' },
};

/** A picture of where an operation's time went: the tree of its spans, each with a bar on one common time axis. */
export function traceTree(context: Context, { kind, durationMs, spans }: OperationView): string {
  const { colours, columns, unicode } = context;
  if (spans.length === 0) return 'No spans are recorded for this operation.';
  const signs = unicode ? glyphs.unicode : glyphs.ascii;
  const totalMs = Math.max(durationMs ?? 0, ...spans.map((span) => span.startMs + span.durationMs), 0.001);
  const lines = [
    { label: kind, span: { startMs: 0, durationMs: totalMs } as Pick<Span, 'startMs' | 'durationMs' | 'error'> },
    ...tree(spans, signs),
  ];
  const labelWidth = Math.max(...lines.map(({ label }) => label.length));
  const timeWidth = Math.max(...lines.map(({ span }) => duration(span.durationMs).length));
  const barWidth = Math.max(10, Math.min(60, columns - labelWidth - timeWidth - 4));

  return lines
    .map(({ label, span }) => {
      const from = Math.min(barWidth - 1, Math.floor((span.startMs / totalMs) * barWidth));
      const length = Math.min(barWidth - from, Math.round((span.durationMs / totalMs) * barWidth));
      const bar = (' '.repeat(from) + (length > 0 ? signs.bar.repeat(length) : signs.thin)).padEnd(barWidth);
      const coloured = span.error === undefined ? colours.cyan(bar) : colours.red(bar);
      const line = `${label.padEnd(labelWidth)}  ${duration(span.durationMs).padStart(timeWidth)}  ${coloured}`.trimEnd();
      return span.error === undefined
        ? line
        : `${line}\n${' '.repeat(labelWidth + timeWidth + 4)}${colours.red(span.error.replace(/\s+/g, ' '))}`;
    })
    .join('\n');
}

/** Spans in the order of their begin, below their parents; one whose parent is not there stands at the top. */
function tree(spans: readonly Span[], signs: (typeof glyphs)['ascii']): { label: string; span: Span }[] {
  const known = new Set(spans.map(({ id }) => id));
  const below = new Map<string | null, Span[]>();
  for (const span of [...spans].sort((a, b) => a.startMs - b.startMs)) {
    const parent = span.parent !== null && known.has(span.parent) ? span.parent : null;
    below.set(parent, [...(below.get(parent) ?? []), span]);
  }
  const walk = (parent: string | null, prefix: string): { label: string; span: Span }[] => {
    const children = below.get(parent) ?? [];
    // taken out, so that spans that are each other's parents end
    below.delete(parent);
    return children.flatMap((span, index) => {
      const isLast = index === children.length - 1;
      const label = prefix + (isLast ? signs.last : signs.branch) + span.name;
      return [{ label, span }, ...walk(span.id, prefix + (isLast ? signs.gap : signs.through))];
    });
  };
  return walk(null, '');
}
