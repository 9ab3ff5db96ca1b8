import assert from 'node:assert/strict';
import { createTrace, rootSpanId, runInTrace, type TraceContext, traceIdFrom, traceparent } from '../../../src/observe/tracing.ts';

describe('tracing', () => {
  const trace = createTrace();
  const context = (): TraceContext => ({ operationId: 'op-1', traceId: 'ab'.repeat(16), spans: [], current: null });

  it('keeps spans with their parents, also of work that runs side by side', async () => {
    const operation = context();
    await runInTrace(operation, () =>
      trace('step:add', async () => {
        await Promise.all([trace('plugin:a:ADD', async () => {}), trace('plugin:b:ADD', async () => {}, { code: 1 })]);
      }),
    );
    const [step, a, b] = operation.spans;
    assert.deepEqual([step?.parent, a?.parent, b?.parent], [null, step?.id, step?.id]);
    assert.deepEqual(b?.facts, { code: 1 });
  });

  it('records the error of a span and passes it on', async () => {
    const operation = context();
    await assert.rejects(
      runInTrace(operation, () => trace('tool:ip', () => Promise.reject(new Error('exit 2')))),
      /exit 2/,
    );
    assert.equal(operation.spans[0]?.error, 'exit 2');
  });

  it('only runs the work outside an operation', async () => {
    assert.equal(await trace('x', async () => 7), 7);
    assert.equal(traceparent(), undefined);
  });

  it('names the span in progress in traceparent, the operation as a whole outside any span', async () => {
    const operation = context();
    await runInTrace(operation, async () => {
      assert.equal(traceparent(), `00-${'ab'.repeat(16)}-${rootSpanId('op-1')}-01`);
      await trace('step', async () => assert.equal(traceparent(), `00-${'ab'.repeat(16)}-${operation.spans[0]?.id}-01`));
    });
  });

  it('takes the trace id that came in, and a new one when it is not a valid one', () => {
    assert.equal(traceIdFrom('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'), '0af7651916cd43dd8448eb211c80319c');
    for (const bad of [undefined, '', 'x', `00-${'0'.repeat(32)}-b7ad6b7169203331-01`, '00-0AF7-1-01'])
      assert.match(traceIdFrom(bad), /^(?!0{32})[0-9a-f]{32}$/);
  });
});
