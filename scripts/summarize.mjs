// node scripts/summarize.mjs FOLDER SUITE...
// The end of scripts/test: time of each suite, what was skipped and why, what failed once and then passed, what failed, and the totals as the last line.
// Fails when a test failed, when a suite ended badly, and when one ran nothing.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [folder, ...suites] = process.argv.slice(2);
const outcomes = suites.map(outcomeOf);

console.log('\n== summary');
for (const { suite, seconds, passed, failed, skipped } of outcomes)
  console.log(`${suite.padEnd(8)} ${String(seconds).padStart(5)} s  ${counts(passed.length, failed.length, skipped.length)}`);
for (const { suite, skipped } of outcomes) for (const { name, reason } of skipped) console.log(`skipped  ${suite}: ${name}: ${reason}`);
for (const { suite, repeated } of outcomes)
  for (const { name, error } of repeated) console.log(`repeated ${suite}: ${name}: ${error.split('\n', 1)[0]}`);
for (const { suite, failed } of outcomes) for (const { name } of failed) console.log(`failed   ${suite}: ${name}`);

const total = (kind) => outcomes.reduce((sum, outcome) => sum + outcome[kind].length, 0);
console.log(counts(total('passed'), total('failed'), total('skipped')));
process.exitCode = total('failed') === 0 ? 0 : 1;

function outcomeOf(suite) {
  const [status, seconds] = readFileSync(join(folder, `${suite}.end`), 'utf8')
    .trim()
    .split(' ');
  const outcome = { suite, seconds: Number(seconds), passed: [], failed: [], skipped: [], repeated: [] };
  if (status === 'absent') return { ...outcome, skipped: [{ name: 'the whole suite', reason: `test/${suite} does not exist` }] };
  if (suite === 'check') return { ...outcome, [status === '0' ? 'passed' : 'failed']: [{ name: 'npm run check' }] };
  const file = join(folder, `${suite}.json`);
  if (existsSync(file)) Object.assign(outcome, JSON.parse(readFileSync(file, 'utf8')));
  const { passed, failed, skipped } = outcome;
  if (passed.length + failed.length + skipped.length === 0) failed.push({ name: `the suite ran no test (exit status ${status})` });
  else if (status !== '0' && failed.length === 0) failed.push({ name: `the suite ended with exit status ${status}` });
  return outcome;
}

function counts(passed, failed, skipped) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
