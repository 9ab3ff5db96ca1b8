import assert from 'node:assert/strict';
import { failure } from '../../../src/model/errors.ts';
import { createLogger } from '../../../src/observe/logger.ts';
import { runInTrace } from '../../../src/observe/tracing.ts';

describe('logger', () => {
  const lines: string[] = [];
  const logger = createLogger({ level: 'info', destination: { write: (line) => void lines.push(line) } });
  const last = () => JSON.parse(lines.at(-1) ?? 'null');

  it('carries the id and the trace of the operation on every line inside it, also after waiting', async () => {
    await runInTrace({ operationId: 'op-7', traceId: 'f'.repeat(32), spans: [], current: null }, async () => {
      await new Promise(setImmediate);
      logger.child({ vmid: 101 }).info('attached');
    });
    assert.deepEqual(
      { ...last(), time: '' },
      { level: 'info', time: '', vmid: 101, operation: 'op-7', trace: 'f'.repeat(32), msg: 'attached' },
    );
    logger.info('outside');
    assert.equal('operation' in last(), false);
  });

  it('writes one line of JSON with ISO time whatever is in the message', () => {
    const before = lines.length;
    logger.info({ output: 'first\nsecond\u2028' }, 'line\nbreak');
    assert.equal(lines.length, before + 1);
    assert.equal((lines.at(-1) ?? '').trimEnd().includes('\n'), false);
    assert.match(last().time, /^\d{4}-\d\d-\d\dT.*Z$/);
  });

  it('leaves out what is below its level', () => {
    const before = lines.length;
    logger.debug('not shown');
    assert.equal(lines.length, before);
  });

  it('redacts secrets by key at any depth, in arrays and in the context of errors', () => {
    const conflist = { plugins: [{ type: 'x', etcd: { password: 'p1', key: 'kept' } }], authToken: 't1' };
    logger.error({ err: failure('CNI_PLUGIN_FAILED', 'plugin said no', { conflist, clientSecret: 's1' }) }, 'failed');
    assert.equal(/p1|t1|s1/.test(lines.at(-1) ?? ''), false);
    assert.equal(last().err.context.conflist.plugins[0].etcd.password, '[redacted]');
    assert.equal(last().err.context.conflist.plugins[0].etcd.key, 'kept');
  });

  it('redacts user and password of a URL, in messages too', () => {
    logger.warn({ endpoint: 'https://ci:hunter2@otel.example:4318/' }, 'cannot reach http://u:pw@host/');
    assert.equal(/hunter2|pw@/.test(lines.at(-1) ?? ''), false);
    assert.equal(last().endpoint, 'https://[redacted]@otel.example:4318/');
  });

  it('writes an error with code, message, stack and the messages of its causes', () => {
    logger.error(failure('TOOL_FAILED', 'cannot add link', { argv: ['ip', 'link'] }, new Error('exit 2')));
    assert.equal(last().err.code, 'TOOL_FAILED');
    assert.match(last().err.message, /cannot add link.*exit 2/);
    assert.match(last().err.stack, /exit 2/);
  });

  it('survives circular and very deep values', () => {
    const circular: Record<string, unknown> = { bigint: 1n };
    circular.self = circular;
    let deep: unknown = 'bottom';
    for (let level = 0; level < 1000; level += 1) deep = { deep };
    logger.info({ circular, deep }, 'odd');
    assert.equal(last().circular.self, '[circular]');
  });
});
