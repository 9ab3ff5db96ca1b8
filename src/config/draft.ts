import { asPveCniError, failure, type PveCniError } from '../model/errors.ts';
import { compose, parseFile, type Surroundings } from './compose.ts';
import type { ConfigProblem, ConfigSnapshot } from './configuration.ts';
import type { Memory } from './memory.ts';

/** Why a file must not get a text (null: must not be removed): it would not serve beside the others, or would keep one of them from
 *  serving that serves now. null: it may. */
export function draftError(
  memory: Memory,
  { problems }: Pick<ConfigSnapshot, 'problems'>,
  { file, text }: { file: string; text: string | null },
  surroundings: Surroundings,
): PveCniError | null {
  const files: Memory = new Map(memory);
  files.delete(file);
  if (text !== null) {
    try {
      // without what served last: what is wrong must not hide behind it
      files.set(file, { now: parseFile(file, text), good: null, stamp: '', text });
    } catch (error) {
      return asPveCniError(error);
    }
  }
  const found = compose(files, surroundings).content.problems;
  const own = found.find((problem) => problem.file === file);
  if (own) return own.error;
  const known = new Set(problems.map(keyOf));
  const broken = found.filter((problem) => !known.has(keyOf(problem)));
  const [first] = broken;
  if (!first) return null;
  const more = broken.length > 1 ? ` (and ${broken.length - 1} more)` : '';
  const verb = text === null ? 'remove' : 'write';
  return failure('CONFIG_INVALID', `cannot ${verb} ${file}: it would keep others from serving: ${first.error.message}${more}`, {
    path: file,
    issues: broken.map(({ error }) => error.message),
  });
}

function keyOf({ file, error }: ConfigProblem): string {
  return `${file} ${error.message}`;
}
