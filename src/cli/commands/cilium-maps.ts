import { Argument, type Command } from 'commander';
import { type MapKind, mapKinds } from '../../model/cilium-map-kinds.ts';
import type { IdentityView, MapContent, MapView } from '../../model/cilium-maps-api.ts';
import { limit, vmid } from '../arguments.ts';
import { type Act, examples } from '../program.ts';
import { renderIdentities, renderMap, renderMaps } from '../views/cilium-maps.ts';

/** What Cilium holds: identities and eBPF maps. */
export function addCiliumMapCommands(cilium: Command, act: Act): void {
  cilium
    .command('identities')
    .description('identities of the cluster, who uses them, and since when nobody does')
    .addHelpText('after', examples('pve-cni cilium identities', 'pve-cni cilium identities --json'))
    .action(
      act(async (context) => context.show(await context.api.get<IdentityView[]>('/v1/cilium/identities'), renderIdentities(context))),
    );

  const maps = cilium
    .command('maps')
    .description('what the kernel holds for Cilium: all maps with how full they are, or one of them, with containers’ names')
    .addArgument(new Argument('[MAP]', 'which to read').choices(mapKinds))
    .option('--container <VMID>', 'only what is of this container', vmid)
    .option('--limit <N>', 'at most so many entries (default: 500)', limit)
    .addHelpText(
      'after',
      examples('pve-cni cilium maps', 'pve-cni cilium maps policy --container 101', 'pve-cni cilium maps ct --container 101 --limit 20'),
    )
    .action(
      act(async (context, kind: MapKind | undefined, { container, limit: atMost }: { container?: number; limit?: number }) => {
        if (kind === undefined) {
          if (container !== undefined || atMost !== undefined) return maps.error('error: --container and --limit go with a map');
          const all = await context.api.get<MapView[]>('/v1/cilium/maps');
          context.show(all, renderMaps(context));
          if (all.some(({ problem }) => problem !== null)) context.found();
          return;
        }
        const content = await context.api.get<MapContent>(`/v1/cilium/maps/${kind}`, { vmid: container, limit: atMost });
        context.show(content, renderMap(context));
      }),
    );
}
