import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

// Runs the Perl tests beside it, with taint checks as Proxmox's daemons run, and reports each of their tests as one.

interface Outcome {
  file: string;
  tests: { name: string; passed: boolean; output: string }[];
  /** what went wrong outside its tests */
  problem: string;
}

const folder = fileURLToPath(new URL('.', import.meta.url));
const waiting = readdirSync(folder).filter((name) => name.endsWith('.t'));
const outcomes: Outcome[] = [];
// mocha wants to know all tests when it has loaded a file
await Promise.all(
  Array.from({ length: Math.min(2, cpus().length) }, async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) outcomes.push(await run(file));
  }),
);

for (const { file, tests, problem } of outcomes.sort((a, b) => a.file.localeCompare(b.file)))
  describe(`bridge ${file}`, () => {
    for (const { name, passed, output } of tests) it(name, () => assert.ok(passed, output));
    it('runs to its end', () => {
      assert.equal(problem, '');
      assert.ok(tests.length > 0);
    });
  });

function run(file: string): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { cwd: folder, timeout: 240_000, maxBuffer: 64 * 1024 * 1024 };
    const child = execFile('perl', ['-T', `-I${folder}lib`, `${folder}${file}`], options, (error, stdout, stderr) => {
      const tests = parse(stdout, stderr);
      const failed = tests.filter(({ passed }) => !passed).length;
      // Test::More ends with the number of tests that failed
      const ended = !error || (error.code === failed && failed > 0);
      const planned = /^1\.\.(\d+)$/m.exec(stdout);
      const whole = planned !== null && Number(planned[1]) === tests.length;
      resolve({ file, tests, problem: ended && whole ? '' : `${error?.message ?? 'no plan'}\n${stderr}` });
    });
    child.stdin?.end();
  });
}

/** The outermost tests of a TAP text; what is indented belongs to the next of them. */
function parse(stdout: string, stderr: string): Outcome['tests'] {
  const tests: Outcome['tests'] = [];
  let inner: string[] = [];
  for (const line of stdout.split('\n')) {
    const [, not, name] = /^(not )?ok \d+(?: - (.*))?$/.exec(line) ?? [];
    if (/^(not )?ok \d/.test(line)) {
      tests.push({
        name: name ?? line,
        passed: not === undefined,
        output: [...inner.filter((one) => /not ok/.test(one)), stderr].join('\n'),
      });
      inner = [];
    } else inner.push(line);
  }
  return tests;
}
