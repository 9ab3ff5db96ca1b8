/** Ends the test (or, from a `before`, all tests of the suite) as skipped, with a reason that the run lists at its end. */
export function skip(context: Mocha.Context, reason: string): never {
  const here = (context.test ?? context.currentTest) as (Mocha.Runnable & { type?: 'hook' | 'test' }) | undefined;
  const owner = here?.type === 'hook' ? here.parent : here;
  if (owner) Object.assign(owner, { skipReason: reason });
  console.error(`SKIP ${reason}`);
  return context.skip();
}
