import { type Command, Option } from 'commander';
import type { ChangeView, CheckView, ContainerView } from '../../model/api.ts';
import type { LabelChange } from '../../model/labels.ts';
import type { InterfaceStatus } from '../../model/panel-api.ts';
import { collected, ifname, interfaceOnNetwork, labelChange, network, vmid } from '../arguments.ts';
import { type Act, examples } from '../program.ts';
import { showWaiting } from '../progress.ts';
import { renderCheck } from '../views/check.ts';
import { renderChange, renderContainer, renderContainers } from '../views/container.ts';

interface AttachOptions {
  address?: string[];
  defaultRoute?: boolean;
  onFailure?: 'refuse' | 'start';
}

interface UpdateOptions extends AttachOptions {
  network?: string;
  auto?: boolean;
}

export function addContainerCommands(program: Command, act: Act): void {
  const containers = program
    .command('container')
    .description('containers and their interfaces')
    .addHelpText('after', examples('pve-cni container list', 'pve-cni container attach 101 eth0=web'));

  containers
    .command('list')
    .description('all managed containers')
    .addHelpText('after', examples('pve-cni container list'))
    .action(act(async (context) => context.show(await context.api.get<ContainerView[]>('/v1/containers'), renderContainers(context))));

  containers
    .command('show')
    .description('one container')
    .argument('<VMID>', 'number of the container', vmid)
    .addHelpText('after', examples('pve-cni container show 101'))
    .action(
      act(async (context, number: number) =>
        context.show(await context.api.get<ContainerView>(`/v1/containers/${number}`), renderContainer(context)),
      ),
    );

  containers
    .command('attach')
    .description('give a container an interface: written to its configuration, and attached at once when it runs')
    .argument('<VMID>', 'number of the container', vmid)
    .argument('<IFNAME=NETWORK>', 'interface inside the container and network that it joins', interfaceOnNetwork)
    .option('--address <ADDRESS>', 'fixed address without prefix length; once for IPv4 and once for IPv6', collected)
    .option('--default-route', 'send the default route through this interface')
    .addOption(onFailureOption())
    .addHelpText(
      'after',
      examples('pve-cni container attach 101 eth0=web', 'pve-cni container attach 101 eth1=lan --address 10.20.0.50 --address fd00:20::50'),
    )
    .action(
      act(
        async (context, number: number, wanted: { name: string; network: string }, { address, defaultRoute, onFailure }: AttachOptions) => {
          const body = { interface: { ...wanted, address, defaultRoute }, onFailure };
          const answer = await showWaiting(context, { vmid: number }, () =>
            context.api.post<ChangeView>(`/v1/containers/${number}/interfaces`, body),
          );
          context.show(answer, renderChange(context));
        },
      ),
    );

  containers
    .command('update')
    .description('change an interface: written to the configuration, and at once when the container runs')
    .argument('<VMID>', 'number of the container', vmid)
    .argument('<IFNAME>', 'interface inside the container', ifname)
    .option('--network <NAME>', 'join this network instead', network)
    .option('--address <ADDRESS>', 'fixed address without prefix length; once for IPv4 and once for IPv6', collected)
    .option('--auto', 'let the network give the address; so it is on another network when no address is given')
    .option('--default-route', 'send the default route through this interface')
    .option('--no-default-route', 'send it through another')
    .addOption(onFailureOption())
    .addHelpText(
      'after',
      examples('pve-cni container update 101 eth0 --network lan', 'pve-cni container update 101 eth1 --address 10.20.0.51 --default-route'),
    )
    .action(
      act(async (context, number: number, name: string, { onFailure, ...options }: UpdateOptions) => {
        if (options.auto && options.address) return containers.error('error: --auto and --address exclude each other');
        const present = await context.api.get<InterfaceStatus[]>(`/v1/containers/${number}/interfaces`);
        const { configured } = present.find(({ ifname }) => ifname === name) ?? {};
        const body = { interface: changed(name, configured ?? null, options), onFailure };
        const answer = await showWaiting(context, { vmid: number }, () =>
          context.api.put<ChangeView>(`/v1/containers/${number}/interfaces/${name}`, body),
        );
        context.show(answer, renderChange(context));
      }),
    );

  for (const [verb, description] of [
    ['protect', 'put Cilium onto a bridged interface as it is: identity, policy and flows, the same address, no restart'],
    ['unprotect', 'take Cilium off again: the interface is what it was'],
  ] as const)
    containers
      .command(verb)
      .description(description)
      .argument('<VMID>', 'number of the container', vmid)
      .option('--interface <IFNAME>', 'interface inside the container (default: its first)', ifname)
      .addHelpText('after', examples(`pve-cni container ${verb} 101`, `pve-cni container ${verb} 101 --interface eth1`))
      .action(
        act(async (context, number: number, { interface: name }: { interface?: string }) => {
          const answer = await showWaiting(context, { vmid: number }, () =>
            context.api.post<ChangeView>(`/v1/containers/${number}/${verb}`, { ifname: name }),
          );
          context.show(answer, renderChange(context));
        }),
      );

  containers
    .command('detach')
    .description('take an interface away, from the configuration and from the running container')
    .argument('<VMID>', 'number of the container', vmid)
    .argument('<IFNAME>', 'interface inside the container', ifname)
    .addHelpText('after', examples('pve-cni container detach 101 eth1'))
    .action(
      act(async (context, number: number, name: string) => {
        const answer = await showWaiting(context, { vmid: number }, () =>
          context.api.delete<ChangeView>(`/v1/containers/${number}/interfaces/${name}`),
        );
        context.show(answer, renderChange(context));
      }),
    );

  containers
    .command('label')
    .description('change the labels of a container, which policies select by')
    .argument('<VMID>', 'number of the container', vmid)
    .argument('<CHANGE...>', 'KEY=VALUE to set a label, KEY- to remove it', labelChange)
    .addHelpText('after', examples('pve-cni container label 101 app=web tier=front', 'pve-cni container label 101 tier-'))
    .action(
      act(async (context, number: number, change: LabelChange) => {
        const answer = await showWaiting(context, { vmid: number }, () =>
          context.api.post<ChangeView>(`/v1/containers/${number}/labels`, change),
        );
        context.show(answer, renderChange(context));
      }),
    );

  containers
    .command('restore')
    .description('give a container back the networks and addresses of the destroyed one of its number')
    .argument('<VMID>', 'number of the container', vmid)
    .addHelpText(
      'after',
      `${examples('pve-cni container restore 101')}
A new container of the same number inherits nothing by itself; one that is restored over a container that is still there keeps all.
`,
    )
    .action(
      act(async (context, number: number) => {
        const answer = await showWaiting(context, { vmid: number }, () =>
          context.api.post<ChangeView>(`/v1/containers/${number}/restore`, {}),
        );
        context.show(answer, renderChange(context));
      }),
    );

  containers
    .command('check')
    .description('check that every interface is as it was made')
    .argument('<VMID>', 'number of the container', vmid)
    .option('--repair', 'make right what is not')
    .addHelpText('after', examples('pve-cni container check 101', 'pve-cni container check 101 --repair'))
    .action(
      act(async (context, number: number, { repair = false }: { repair?: boolean }) => {
        const answer = await showWaiting(context, { vmid: number }, () =>
          context.api.post<CheckView>(`/v1/containers/${number}/check`, { repair }),
        );
        context.show(answer, renderCheck(context, 'The container has no interfaces to check.'));
        if (!answer.ok) context.found();
      }),
    );
}

function onFailureOption(): Option {
  return new Option('--on-failure <WHAT>', 'when the network fails at a start: refuse the start, or start without').choices([
    'refuse',
    'start',
  ]);
}

/** An interface as it is configured, with what is to be different. What is not configured the service refuses. */
function changed(name: string, present: InterfaceStatus['configured'], { network, address, auto, defaultRoute }: UpdateOptions): object {
  const joined = network ?? present?.network ?? 'unknown';
  const kept = joined === present?.network ? present.address : 'auto';
  return {
    name,
    network: joined,
    address: auto ? 'auto' : (address ?? kept),
    defaultRoute: defaultRoute ?? present?.defaultRoute ?? undefined,
  };
}
