import type { Command } from 'commander';
import type { InterfaceStatus } from '../../model/panel-api.ts';
import { vmid } from '../arguments.ts';
import { type Act, examples } from '../program.ts';
import { renderInterfaces } from '../views/interface.ts';

export function addInterfaceCommands(program: Command, act: Act): void {
  program
    .command('interface')
    .description('interfaces of containers and what passes through them')
    .addHelpText('after', examples('pve-cni interface list'))
    .command('list')
    .description('every interface of this node, with its state and its traffic now')
    .option('--container <VMID>', 'only of this container', vmid)
    .addHelpText('after', examples('pve-cni interface list', 'pve-cni interface list --container 101 --json'))
    .action(
      act(async (context, { container }: { container?: number }) => {
        const path = container === undefined ? '/v1/interfaces' : `/v1/containers/${container}/interfaces`;
        context.show(await context.api.get<InterfaceStatus[]>(path), renderInterfaces(context));
      }),
    );
}
