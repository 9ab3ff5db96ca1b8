// Mocha's spec output for people, and the outcome as JSON in the file that PVE_CNI_REPORT names, for scripts/test.
import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

const { EVENT_RUN_END, EVENT_TEST_PASS, EVENT_TEST_FAIL, EVENT_TEST_PENDING, EVENT_TEST_RETRY } = Mocha.Runner.constants;

export default class SpecAndFile extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const outcome = { passed: [], failed: [], skipped: [], repeated: [] };
    runner.on(EVENT_TEST_PASS, (test) => outcome.passed.push({ name: test.fullTitle(), ms: test.duration }));
    runner.on(EVENT_TEST_FAIL, (test, error) => outcome.failed.push({ name: test.fullTitle(), error: error.stack ?? String(error) }));
    runner.on(EVENT_TEST_PENDING, (test) => outcome.skipped.push({ name: test.fullTitle(), reason: reasonOf(test) }));
    runner.on(EVENT_TEST_RETRY, (test, error) => {
      outcome.repeated.push({ name: test.fullTitle(), error: error.stack ?? String(error) });
      console.log(`REPEAT ${test.fullTitle()}, which failed: ${error.stack ?? error}`);
    });
    runner.once(EVENT_RUN_END, () => {
      if (process.env.PVE_CNI_REPORT) writeFileSync(process.env.PVE_CNI_REPORT, JSON.stringify(outcome, null, 1));
    });
  }
}

/** What test/support/skip.ts was told, for the test or a suite around it. */
function reasonOf(test) {
  for (let one = test; one; one = one.parent) if (one.skipReason) return one.skipReason;
  return 'no reason given';
}
