import type { OperationView } from '../../model/api.ts';
import type { Context } from '../context.ts';
import { duration, moment, paragraphs, sheet, state, table } from '../output.ts';
import { traceTree } from './trace.ts';

const outcome = (context: Context, { outcome }: OperationView) => state(context.colours, outcome ?? 'running');
const took = ({ durationMs }: OperationView) => (durationMs === null ? '-' : duration(durationMs));

export const renderOperations =
  (context: Context) =>
  (operations: OperationView[]): string => {
    if (operations.length === 0) return 'No operations are recorded yet. Start a container that is attached, or attach one.';
    const rows = operations.map((one) => [
      one.id,
      moment(one.begin),
      one.kind,
      one.vmid ?? '-',
      one.user,
      outcome(context, one),
      took(one),
      one.message,
    ]);
    return table(context, ['ID', 'BEGIN', 'KIND', 'VMID', 'USER', 'OUTCOME', 'TOOK', 'MESSAGE'], rows);
  };

export const renderOperation =
  (context: Context, trace: boolean) =>
  (operation: OperationView): string => {
    const facts = sheet(context, [
      ['operation', operation.id],
      ['kind', operation.kind],
      ['container', operation.vmid],
      ['network', operation.network],
      ['asked by', `${operation.user} through ${operation.door}`],
      ['task', operation.upid],
      ['trace', operation.traceId],
      ['begin', moment(operation.begin)],
      ['end', operation.end && moment(operation.end)],
      ['took', took(operation)],
      ['outcome', outcome(context, operation)],
      ['message', operation.message],
      ['error', operation.error && `${operation.error.code}: ${operation.error.message}`],
    ]);
    const { before, after } = operation;
    const change = before === null && after === null ? '' : `before:\n${indented(before)}\nafter:\n${indented(after)}`;
    return paragraphs(facts, change, trace ? traceTree(context, operation) : '');
  };

function indented(text: string | null): string {
  return text === null ? '  (no file)' : text.trimEnd().replace(/^/gm, '  ');
}
