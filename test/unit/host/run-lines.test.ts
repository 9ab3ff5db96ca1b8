import assert from 'node:assert/strict';
import { createRunLines } from '../../../src/host/run-lines.ts';

describe('a tool read line by line', () => {
  const runLines = createRunLines((_name, work) => work());
  const linesOf = async (script: string, options = {}) => {
    const lines: string[] = [];
    await runLines(['sh', '-c', script], (line) => lines.push(line), options);
    return lines;
  };

  it('gives every line, the last without an end too', async () => {
    assert.deepEqual(await linesOf('printf "a\\n\\nä\\nlast"'), ['a', '', 'ä', 'last']);
  });

  it('may print far more than is held', async () => {
    let count = 0;
    const before = process.memoryUsage().rss;
    await runLines(['sh', '-c', 'yes 0123456789012345678901234567890123456789012345678901234567890123456789 | head -n 2000000'], () => {
      count += 1;
    });
    assert.equal(count, 2_000_000);
    assert.ok(process.memoryUsage().rss - before < 100 * 1024 * 1024, 'of 142 MB most is let go at once');
  });

  it('that fails is named with what it said', async () => {
    await assert.rejects(linesOf('echo a; echo "no such map" >&2; exit 3'), {
      code: 'TOOL_FAILED',
      message: /sh -c .* failed: no such map/,
    });
  });

  it('that is not there is missing', async () => {
    await assert.rejects(
      runLines(['/nonexistent/cilium-dbg'], () => {}),
      { code: 'TOOL_MISSING' },
    );
  });

  it('that does not end is ended with all that it started', async () => {
    const begin = performance.now();
    await assert.rejects(linesOf('sleep 60 & sleep 60', { timeoutMs: 200 }), { code: 'TOOL_FAILED', message: /no end in 200 ms/ });
    assert.ok(performance.now() - begin < 5000);
  });

  it('that prints a line without an end is ended', async () => {
    await assert.rejects(linesOf('while :; do printf 0123456789012345678901234567890123456789; done'), {
      code: 'TOOL_FAILED',
      message: /a line without an end/,
    });
  });
});
