import type { SpanListener } from './tracing.ts';

/** For crash tests only: dies by SIGKILL at one edge of one span. `point` is `NAME:begin` or `NAME:end`, with `KIND/` before
 *  it for spans of one kind of operation, with `:N` behind it for the Nth time; or absent (never). */
export function killAt(point: string | undefined): SpanListener | undefined {
  if (!point) return undefined;
  const match = /^(?:([a-z]+)\/)?(.*):(begin|end)(?::(\d+))?$/.exec(point);
  let left = Number(match?.[4] ?? 1);
  return (name, edge, kind) => {
    if (name !== match?.[2] || edge !== match[3] || (match[1] !== undefined && kind !== match[1])) return;
    left -= 1;
    if (left === 0) process.kill(process.pid, 'SIGKILL');
  };
}
