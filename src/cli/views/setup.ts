import type { SetupView } from '../../model/setup.ts';
import type { Context } from '../context.ts';
import { paragraphs, table } from '../output.ts';

export const renderSetup =
  (context: Context) =>
  ({ dryRun, steps }: SetupView): string => {
    const rows = steps.map(({ what, state, message }) => [what, state === 'missing' ? context.colours.yellow(state) : state, message]);
    return paragraphs(table(context, ['WHAT', 'STATE', ''], rows), dryRun ? 'Nothing was changed.' : '');
  };
