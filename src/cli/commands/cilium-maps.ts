import type { Command } from 'commander';
import type { IdentityView } from '../../model/cilium-maps-api.ts';
import { type Act, examples } from '../program.ts';
import { renderIdentities } from '../views/cilium-maps.ts';

/** What Cilium holds: identities and eBPF maps. */
export function addCiliumMapCommands(cilium: Command, act: Act): void {
  cilium
    .command('identities')
    .description('identities of the cluster, who uses them, and since when nobody does')
    .addHelpText('after', examples('pve-cni cilium identities', 'pve-cni cilium identities --json'))
    .action(
      act(async (context) => context.show(await context.api.get<IdentityView[]>('/v1/cilium/identities'), renderIdentities(context))),
    );
}
