import { setTimeout as pause } from 'node:timers/promises';
import type { CiliumWorkView } from '../model/cilium-api.ts';
import { failure } from '../model/errors.ts';
import type { Context } from './context.ts';
import { duration } from './output.ts';

const everyMs = 300;

/** Looks how long work goes until it has ended, and says each step once. @throws what the work failed with */
export async function follow(context: Context, begun: CiliumWorkView): Promise<CiliumWorkView> {
  const { operation } = begun;
  const said = new Set<string>();
  const say = (key: string, line: string) => {
    if (!said.has(key)) context.note(line);
    said.add(key);
  };
  for (let view = begun; ; view = await context.api.get<CiliumWorkView>('/v1/cilium/work')) {
    if (view.operation !== operation)
      throw failure('OPERATION_UNKNOWN', `operation ${operation} has ended and another one runs; see pve-cni operation show ${operation}`, {
        operation,
      });
    for (const [index, { name, state, message, durationMs }] of view.steps.entries()) {
      say(`${index}`, `${name} …`);
      if (state === 'done' && (durationMs >= 1000 || message))
        say(`${index} done`, `  ${[duration(durationMs), message].filter(Boolean).join(', ')}`);
    }
    if (view.error) throw failure(view.error.code, view.error.message, { operation });
    if (view.state === 'done') return view;
    await pause(everyMs);
  }
}
