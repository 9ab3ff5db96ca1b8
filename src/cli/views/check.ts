import type { CheckView } from '../../model/api.ts';
import type { Context } from '../context.ts';
import { state, table } from '../output.ts';

export const renderCheck =
  (context: Context, whenEmpty: string) =>
  ({ results }: CheckView): string => {
    if (results.length === 0) return whenEmpty;
    const rows = results.map(({ what, ok, message }) => [state(context.colours, ok ? 'ok' : 'failed'), what, message]);
    return table(context, ['STATE', 'WHAT', 'MESSAGE'], rows);
  };
