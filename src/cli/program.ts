import { Command } from 'commander';
import { version } from '../model/version.ts';
import { clean } from './clean.ts';
import { addAddressCommands } from './commands/address.ts';
import { addCiliumCommands } from './commands/cilium.ts';
import { addCompletionCommand } from './commands/completion.ts';
import { addContainerCommands } from './commands/container.ts';
import { addFlowCommands } from './commands/flows.ts';
import { addInterfaceCommands } from './commands/interface.ts';
import { addLoadBalancingCommands } from './commands/load-balancing.ts';
import { addNetworkCommands } from './commands/network.ts';
import { addOperationCommands } from './commands/operation.ts';
import { addPolicyCommands } from './commands/policy.ts';
import { addServiceCommands } from './commands/service.ts';
import { addSettingsCommands } from './commands/settings.ts';
import { addTopologyCommand } from './commands/topology.ts';
import { type Context, contextOf, defaultSocket, type Surroundings } from './context.ts';

/** Makes an action of commander from a function that takes the context first. */
export type Act = <Given extends unknown[]>(
  work: (context: Context, ...given: Given) => Promise<void>,
) => (...given: [...Given, Command]) => Promise<void>;

/** The whole command line: every command with its arguments, options and examples. */
export function createProgram(surroundings: Surroundings, setExitCode: (code: number) => void): Command {
  const program = new Command('pve-cni')
    .description('CNI networks for the LXC containers of this node')
    .version(version)
    .option('--json', 'print the answer of the service as JSON')
    .option('--socket <path>', `socket of the service (default: $PVE_CNI_SOCKET or ${defaultSocket})`)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => void surroundings.stdout.write(text),
      writeErr: (text) => void surroundings.stderr.write(clean(text)),
    })
    .showSuggestionAfterError()
    .exitOverride()
    .addHelpText(
      'after',
      `${examples('pve-cni status', 'pve-cni container attach 101 eth0=web', 'pve-cni operation list --container 101 --json')}
Exit codes:
  0 done  1 something was found, or anything else  2 wrong command line  3 configuration
  4 CNI plugin  5 addresses  6 interfaces  7 state or service  8 Proxmox or LXC`,
    );
  const act: Act =
    <Given extends unknown[]>(work: (context: Context, ...given: Given) => Promise<void>) =>
    (...given: [...Given, Command]) => {
      const command = given.at(-1) as Command; // commander's last argument, always
      const rest = given.slice(0, -1) as unknown as Given;
      return work(contextOf(command, surroundings, setExitCode), ...rest);
    };
  for (const add of [
    addServiceCommands,
    addNetworkCommands,
    addLoadBalancingCommands,
    addContainerCommands,
    addInterfaceCommands,
    addTopologyCommand,
    addPolicyCommands,
    addAddressCommands,
    addSettingsCommands,
    addCiliumCommands,
    addOperationCommands,
    addFlowCommands,
    addCompletionCommand,
  ])
    add(program, act);
  return program;
}

/** The end of a command's help. */
export function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}\n`).join('')}`;
}
