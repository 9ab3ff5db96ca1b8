import type { Command } from 'commander';
import type { ServiceView } from '../../model/api.ts';
import { service } from '../arguments.ts';
import { type Act, examples } from '../program.ts';
import { renderService, renderServices } from '../views/load-balancing.ts';
import { addFileCommands } from './object-files.ts';

export function addLoadBalancingCommands(program: Command, act: Act): void {
  const services = program
    .command('service')
    .description('virtual addresses with containers behind them')
    .addHelpText('after', examples('pve-cni service list', 'pve-cni service show web'));

  services
    .command('list')
    .description('all services, with how many of their backends are up')
    .addHelpText('after', examples('pve-cni service list', 'pve-cni service list --json'))
    .action(act(async (context) => context.show(await context.api.get<ServiceView[]>('/v1/services'), renderServices(context))));

  services
    .command('show')
    .description('one service: its backends, whether they are up, and why not')
    .argument('<SERVICE>', 'name of the service', service)
    .addHelpText('after', examples('pve-cni service show web'))
    .action(
      act(async (context, name: string) =>
        context.show(await context.api.get<ServiceView>(`/v1/services/${name}`), renderService(context)),
      ),
    );

  addFileCommands(services, act, {
    noun: 'service',
    argument: 'SERVICE',
    argumentText: 'name of the service',
    named: 'that of the file',
    check: service,
  });
}
