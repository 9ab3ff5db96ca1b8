import type { SpanListener } from './tracing.ts';

/** For crash tests only: dies by SIGKILL at one edge of one span. `point` is `NAME:begin`, `NAME:end`, with `:N` for the
 *  Nth time, or absent (never). */
export function killAt(point: string | undefined): SpanListener | undefined {
  if (!point) return undefined;
  const match = /^(.*):(begin|end)(?::(\d+))?$/.exec(point);
  let left = Number(match?.[3] ?? 1);
  return (name, edge) => {
    if (name !== match?.[1] || edge !== match[2]) return;
    left -= 1;
    if (left === 0) process.kill(process.pid, 'SIGKILL');
  };
}
