import type { Step } from '../cilium/installation.ts';
import type { CiliumWorkView } from '../model/cilium-api.ts';
import { asPveCniError, failure } from '../model/errors.ts';
import type { Requester } from '../model/operation.ts';
import type { Dependencies } from './dependencies.ts';
import type { Operations } from './operations.ts';

/** Long work on the agent: one at a time, an operation like any other, but its asker does not wait for its end. */
export interface CiliumWork {
  /** Begins; resolves when it has its operation. @throws CNIError CILIUM_BUSY */
  begin(what: CiliumWorkView['what'], requester: Requester, work: (tools: WorkTools) => Promise<string>): Promise<CiliumWorkView>;
  /** the running one, else the last since the service started; null for none */
  current(): CiliumWorkView | null;
}

export interface WorkTools {
  id: string;
  signal: AbortSignal;
  step: Step;
}

/** an image of half a gigabyte over a slow line */
const timeoutMs = 45 * 60_000;

export function createCiliumWork({ trace, clock }: Dependencies, operations: Operations): CiliumWork {
  let current: CiliumWorkView | null = null;

  return {
    current: () => current,
    begin(what, requester, work) {
      if (current?.state === 'running')
        return Promise.reject(
          failure('CILIUM_BUSY', `cannot ${what}: ${current.what} runs as operation ${current.operation}`, {
            operation: current.operation,
          }),
        );
      const view: CiliumWorkView = { operation: '', what, steps: [], state: 'running', message: '', error: null };
      current = view;
      return new Promise((resolve, reject) => {
        const run = operations.run({ kind: what, vmid: null, requester, priority: 5, timeoutMs }, async (context) => {
          view.operation = context.id;
          resolve(view);
          const message = await work({ id: context.id, signal: context.signal, step: stepsInto(view, trace, clock) });
          context.say(message);
          return message;
        });
        run.then(
          (message) => Object.assign(view, { state: 'done', message }),
          (thrown) => {
            const { code, message } = asPveCniError(thrown);
            Object.assign(view, { state: 'failed', message, error: { code, message } });
            if (view.operation === '') reject(thrown);
          },
        );
      });
    },
  };
}

function stepsInto(view: CiliumWorkView, trace: Dependencies['trace'], clock: () => number): Step {
  return async (name, work, message) => {
    const begin = clock();
    const step: CiliumWorkView['steps'][number] = { name, state: 'running', message: '', durationMs: 0 };
    view.steps.push(step);
    try {
      const result = await trace(`step:${name}`, work);
      Object.assign(step, { state: 'done', message: message?.(result) ?? '' });
      return result;
    } catch (thrown) {
      Object.assign(step, { state: 'failed', message: asPveCniError(thrown).message });
      throw thrown;
    } finally {
      step.durationMs = clock() - begin;
    }
  };
}
