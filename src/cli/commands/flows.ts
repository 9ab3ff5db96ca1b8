import { type Command, Option } from 'commander';
import { flowDirections, flowProtocols, flowVerdicts } from '../../model/flow.ts';
import type { FlowLine, FlowsView } from '../../model/flow-api.ts';
import { containerOrName, limit, moment, port, words } from '../arguments.ts';
import { type Act, examples } from '../program.ts';
import { renderFlowLine, renderFlows } from '../views/flows.ts';

interface Options {
  follow?: boolean;
  container?: string;
  verdict?: string;
  port?: number;
  protocol?: string;
  direction?: string;
  since?: string;
  last: number;
}

export function addFlowCommands(program: Command, act: Act): void {
  program
    .command('flows')
    .description('what was let through and what was dropped, with the names of both ends and the reason; the oldest first')
    .option('-f, --follow', 'show new ones as they come, until ^C; with --json one object a line')
    .option('--container <VMID|NAME>', 'only from or to this container', containerOrName)
    .option('--verdict <WORDS>', `only these, with commas between: ${flowVerdicts.join(', ')}`, words(flowVerdicts))
    .option('--port <N>', 'only from or to this port', port)
    .addOption(new Option('--protocol <WORD>', 'only of this').choices(flowProtocols))
    .addOption(new Option('--direction <WORD>', 'only in this, as the container sees it').choices(flowDirections))
    .option('--since <TIME>', 'not older than this: 30s, 10m, 2h, 7d, or a moment', moment)
    .option('--last <N>', 'the last so many', limit, 20)
    .addHelpText(
      'after',
      examples(
        'pve-cni flows',
        'pve-cni flows -f --verdict dropped,audit',
        'pve-cni flows --container 101 --port 443 --since 1h --last 500',
        "pve-cni flows -f --json | jq -r '.to.address'",
      ),
    )
    .action(
      act(async (context, { follow = false, last, ...filter }: Options) => {
        if (!follow) return context.show(await context.api.get<FlowsView>('/v1/flows', { ...filter, limit: last }), renderFlows(context));
        const render = renderFlowLine(context);
        await context.api.lines<FlowLine>('/v1/flows/follow', { ...filter, last }, (line) => context.showLine(line, render));
        context.note('The service ended.');
      }),
    );
}
