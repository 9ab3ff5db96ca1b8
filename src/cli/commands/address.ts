import type { Command } from 'commander';
import type { AddressView } from '../../model/api.ts';
import { network } from '../arguments.ts';
import { type Act, examples } from '../program.ts';
import { renderAddresses } from '../views/address.ts';

export function addAddressCommands(program: Command, act: Act): void {
  program
    .command('address')
    .description('addresses that containers hold')
    .addHelpText('after', examples('pve-cni address list'))
    .command('list')
    .description('who has which address')
    .option('--network <NAME>', 'only of this network', network)
    .addHelpText('after', examples('pve-cni address list', 'pve-cni address list --network web'))
    .action(
      act(async (context, { network }: { network?: string }) =>
        context.show(await context.api.get<AddressView[]>('/v1/addresses', { network }), renderAddresses(context)),
      ),
    );
}
