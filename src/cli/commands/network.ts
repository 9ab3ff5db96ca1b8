import type { Command } from 'commander';
import type { CheckView, NetworkView } from '../../model/api.ts';
import { ifname, network, vmid } from '../arguments.ts';
import { type Act, examples } from '../program.ts';
import { renderCheck } from '../views/check.ts';
import { renderNetwork, renderNetworks } from '../views/network.ts';
import { addFileCommands } from './object-files.ts';

interface ShowOptions {
  conflist?: boolean;
  container?: number;
  interface?: string;
}

export function addNetworkCommands(program: Command, act: Act): void {
  const networks = program
    .command('network')
    .description('networks that containers can join')
    .addHelpText('after', examples('pve-cni network list', 'pve-cni network show web', 'pve-cni network apply web.yaml'));

  networks
    .command('list')
    .description('all networks')
    .addHelpText('after', examples('pve-cni network list'))
    .action(act(async (context) => context.show(await context.api.get<NetworkView[]>('/v1/networks'), renderNetworks(context))));

  networks
    .command('show')
    .description('one network')
    .argument('<NAME>', 'name of the network', network)
    .option('--conflist', 'print the CNI configuration list that is run')
    .option('--container <VMID>', 'with --conflist: as for this container', vmid)
    .option('--interface <IFNAME>', 'with --conflist: as for this interface of the container', ifname)
    .addHelpText(
      'after',
      examples(
        'pve-cni network show web',
        'pve-cni network show web --conflist',
        'pve-cni network show web --conflist --container 101 --interface eth0',
      ),
    )
    .action(
      act(async (context, name: string, { conflist, container, interface: ifname }: ShowOptions) => {
        if ((container === undefined) !== (ifname === undefined) || (container !== undefined && !conflist))
          return networks.error('error: --container and --interface go together, and with --conflist');
        if (conflist) {
          const list = await context.api.get<object>(`/v1/networks/${name}/conflist`, { vmid: container, ifname });
          return context.show(list, (answer) => JSON.stringify(answer, null, 2));
        }
        context.show(await context.api.get<NetworkView>(`/v1/networks/${name}`), renderNetwork(context));
      }),
    );

  networks
    .command('check')
    .description('check what a network needs on this node')
    .argument('<NAME>', 'name of the network', network)
    .addHelpText('after', examples('pve-cni network check web'))
    .action(
      act(async (context, name: string) => {
        const answer = await context.api.post<CheckView>(`/v1/networks/${name}/check`);
        context.show(answer, renderCheck(context, 'Nothing to check.'));
        if (!answer.ok) context.found();
      }),
    );

  addFileCommands(networks, act, {
    noun: 'network',
    argument: 'NAME',
    argumentText: 'name of the network',
    named: 'that of the file, or the one in CNI’s JSON',
    refused: 'refused while anybody is on it',
    check: network,
  });
}
