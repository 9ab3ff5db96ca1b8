import type { Command } from 'commander';
import type { ServiceView } from '../../model/api.ts';
import type { FileReceipt } from '../../model/panel-api.ts';
import { nameOf, service, type TextFile, textFile } from '../arguments.ts';
import { type Act, examples } from '../program.ts';
import { showWaiting } from '../progress.ts';
import { renderService, renderServices } from '../views/load-balancing.ts';
import { renderFileReceipt } from '../views/settings.ts';

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

  services
    .command('apply')
    .description('write a service’s file, as it is; nothing is written when it would not serve')
    .argument('<FILE>', 'the service; - for stdin', textFile)
    .option('--name <SERVICE>', 'name of the service (default: that of the file)', service)
    .addHelpText('after', examples('pve-cni service apply web.yaml', 'pve-cni service apply - --name web < web.yaml'))
    .action(
      act(async (context, file: TextFile, { name: given }: { name?: string }) => {
        const name = nameOf(file, given, service);
        const answer = await showWaiting(context, {}, () => context.api.put<FileReceipt>(`/v1/services/${name}`, { text: file.text }));
        context.show(answer, renderFileReceipt);
      }),
    );

  services
    .command('remove')
    .description('move a service’s file to archive/')
    .argument('<SERVICE>', 'name of the service', service)
    .addHelpText('after', examples('pve-cni service remove web'))
    .action(
      act(async (context, name: string) => {
        const answer = await showWaiting(context, {}, () => context.api.delete<FileReceipt>(`/v1/services/${name}`));
        context.show(answer, renderFileReceipt);
      }),
    );
}
