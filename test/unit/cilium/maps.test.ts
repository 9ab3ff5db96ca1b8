// The tool cilium-dbg is a stand-in here, a script that prints what a test wants; the real one is read in test/cilium/maps.test.ts.
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMaps } from '../../../src/cilium/maps.ts';
import { execute } from '../../../src/host/execute.ts';
import { findTool } from '../../../src/host/files.ts';
import { createRun } from '../../../src/host/run.ts';
import { createRunLines } from '../../../src/host/run-lines.ts';

describe('Cilium’s maps by its tool', () => {
  let dir: string;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'pve-cni-maps-'));
  });
  after(() => rmSync(dir, { recursive: true }));
  const trace = <T>(_name: string, work: () => Promise<T>) => work();
  const mapsOf = (tool: string) =>
    createMaps({
      run: createRun(trace, execute),
      runLines: createRunLines(trace),
      tool: async () => tool,
      agentSocket: '/run/cilium/cilium.sock',
    });
  const printing = (text: string) => {
    writeFileSync(join(dir, 'text'), text);
    writeFileSync(join(dir, 'cilium-dbg'), `#!/bin/sh\nexec cat ${dir}/text\n`, { mode: 0o755 });
    return mapsOf(join(dir, 'cilium-dbg'));
  };

  it('without the tool say what to install', async () => {
    const maps = mapsOf('/nonexistent/cilium-dbg');
    for (const work of [() => maps.endpoints(), () => maps.connections(() => true, 1)])
      await assert.rejects(work, { code: 'TOOL_MISSING', message: /cilium-dbg is not installed; `pve-cni cilium install`/ });
  });

  for (const [what, text] of [
    ['no JSON', 'Error: nothing'],
    ['another shape', '{"10.0.0.1/32": "identity=5"}'],
    ['another version’s words', '{"10.0.0.1/32": ["sec=5"]}'],
  ] as const)
    it(`of a tool that prints ${what} are refused, with what was printed`, async () => {
      await assert.rejects(printing(text).ipcache(), {
        code: 'CILIUM_API_FAILED',
        message: /bpf ipcache list printed something else than Cilium 1\.20/,
      });
    });

  it('of a tool that prints unknown connections are refused', async () => {
    await assert.rejects(
      printing('TCP -> something\n').connections(() => true, 9),
      { code: 'CILIUM_API_FAILED', message: /TCP -> something/ },
    );
  });

  it('hold nothing when the tool finds nothing', async () => {
    assert.deepEqual(await printing('null\n').nodes(), []);
    assert.deepEqual(await printing('{}\n').services(), []);
    assert.deepEqual(await printing('\n\n').connections(() => true, 9), { entries: [], found: 0, all: 0 });
  });

  it('A26 a tool that others than root could have changed is not run', async () => {
    printing('');
    for (const [path, mode, before] of [
      [dir, 0o777, 0o700],
      [join(dir, 'cilium-dbg'), 0o775, 0o755],
    ] as const) {
      chmodSync(path, mode);
      await assert.rejects(findTool('cilium-dbg', [dir]), { code: 'CNI_PLUGIN_UNSAFE', message: /can be changed by others than root/ });
      chmodSync(path, before);
    }
    assert.equal(await findTool('cilium-dbg', [dir]), join(dir, 'cilium-dbg'));
  });

  it('the tool is found in the first folder that has it, else by PATH', async () => {
    printing('');
    assert.equal(await findTool('cilium-dbg', ['/nonexistent', dir]), join(dir, 'cilium-dbg'));
    assert.equal(await findTool('cilium-dbg', ['/nonexistent']), 'cilium-dbg');
  });
});
