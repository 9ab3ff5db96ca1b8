import type { Command } from 'commander';
import type { Topology } from '../../model/panel-api.ts';
import { type Act, examples } from '../program.ts';
import { renderTopology } from '../views/topology.ts';

export function addTopologyCommand(program: Command, act: Act): void {
  program
    .command('topology')
    .description('what is attached to what: uplinks, bridges, Cilium’s agent, networks, containers')
    .addHelpText('after', examples('pve-cni topology', 'pve-cni topology --json'))
    .action(act(async (context) => context.show(await context.api.get<Topology>('/v1/topology'), renderTopology(context))));
}
