import type { Command } from 'commander';
import type { OperationView } from '../../model/api.ts';
import { limit, operationId, vmid } from '../arguments.ts';
import { type Act, examples } from '../program.ts';
import { renderOperation, renderOperations } from '../views/operation.ts';

export function addOperationCommands(program: Command, act: Act): void {
  const operations = program
    .command('operation')
    .description('the audit log: who did what, when, and how long it took')
    .addHelpText('after', examples('pve-cni operation list', 'pve-cni operation show 01JD2Z --trace'));

  operations
    .command('list')
    .description('operations, newest first')
    .option('--container <VMID>', 'only of this container', vmid)
    .option('--limit <N>', 'at most so many', limit, 50)
    .option('--before <ID>', 'those that began before this one', operationId)
    .addHelpText('after', examples('pve-cni operation list', 'pve-cni operation list --container 101 --limit 5'))
    .action(
      act(async (context, { container, limit, before }: { container?: number; limit: number; before?: string }) =>
        context.show(
          await context.api.get<OperationView[]>('/v1/operations', { vmid: container, limit, before }),
          renderOperations(context),
        ),
      ),
    );

  operations
    .command('show')
    .description('one operation')
    .argument('<ID>', 'id of the operation', operationId)
    .option('--trace', 'show where the time went')
    .addHelpText('after', examples('pve-cni operation show 01JD2Z', 'pve-cni operation show 01JD2Z --trace'))
    .action(
      act(async (context, id: string, { trace = false }: { trace?: boolean }) =>
        context.show(await context.api.get<OperationView>(`/v1/operations/${id}`), renderOperation(context, trace)),
      ),
    );
}
