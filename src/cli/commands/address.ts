import type { Command } from 'commander';
import type { AddressView } from '../../model/api.ts';
import type { AddressUse } from '../../model/panel-api.ts';
import { network } from '../arguments.ts';
import { type Act, examples } from '../program.ts';
import { renderAddresses, renderAddressUse } from '../views/address.ts';

export function addAddressCommands(program: Command, act: Act): void {
  const addresses = program
    .command('address')
    .description('addresses that containers hold')
    .addHelpText('after', examples('pve-cni address list', 'pve-cni address use'));

  addresses
    .command('list')
    .description('who has which address')
    .option('--network <NAME>', 'only of this network', network)
    .addHelpText('after', examples('pve-cni address list', 'pve-cni address list --network web'))
    .action(
      act(async (context, { network }: { network?: string }) =>
        context.show(await context.api.get<AddressView[]>('/v1/addresses', { network }), renderAddresses(context)),
      ),
    );

  addresses
    .command('use')
    .description('how full the subnets are')
    .addHelpText('after', examples('pve-cni address use'))
    .action(act(async (context) => context.show(await context.api.get<AddressUse[]>('/v1/addresses/use'), renderAddressUse(context))));
}
