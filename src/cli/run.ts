import { CommanderError } from 'commander';
import { complete } from './completion.ts';
import type { Surroundings } from './context.ts';
import { explain } from './explain.ts';
import { createProgram } from './program.ts';

/** Runs a command line and returns its exit code: 0, 1 findings or anything else, 2 wrong command line, 3-8 by class of error
 *  (docs/errors.md). */
export async function run(argv: readonly string[], surroundings: Surroundings): Promise<number> {
  if (argv[0] === '__complete') return complete(argv.slice(1), surroundings);
  let exitCode = 0;
  const program = createProgram(surroundings, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    // help and version end this way too; what is wrong has been printed
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const { lines, exitCode } = explain(error);
    surroundings.stderr.write(`${lines.join('\n')}\n`);
    return exitCode;
  }
}
