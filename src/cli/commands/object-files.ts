import type { Command } from 'commander';
import type { FileReceipt } from '../../model/panel-api.ts';
import { nameOf, type TextFile, textFile } from '../arguments.ts';
import { type Act, examples } from '../program.ts';
import { showWaiting } from '../progress.ts';
import { renderFileReceipt } from '../views/settings.ts';

/** Objects of the cluster that are one file each, under a name. */
export interface ObjectFiles {
  /** what one is: `network` */
  noun: string;
  /** the name as help and completion call it */
  argument: string;
  argumentText: string;
  /** whence the name comes when none is given */
  named: string;
  /** when a removal does not go */
  refused?: string;
  check: (name: string) => string;
}

/** `apply` and `remove`: the file of an object, written and moved to the archive. */
export function addFileCommands(group: Command, act: Act, { noun, argument, argumentText, named, refused, check }: ObjectFiles): void {
  const path = (name: string) => `/v1/${noun}s/${name}`;

  group
    .command('apply')
    .description(`write a ${noun}’s file, as it is; nothing is written when it would not serve`)
    .argument('<FILE>', `the ${noun}; - for stdin`, textFile)
    .option(`--name <${argument}>`, `name of the ${noun} (default: ${named})`, check)
    .addHelpText('after', examples(`pve-cni ${noun} apply web.yaml`, `pve-cni ${noun} apply - --name web < web.yaml`))
    .action(
      act(async (context, file: TextFile, { name: given }: { name?: string }) => {
        const name = nameOf(file, given, check);
        const answer = await showWaiting(context, {}, () => context.api.put<FileReceipt>(path(name), { text: file.text }));
        context.show(answer, renderFileReceipt);
      }),
    );

  group
    .command('remove')
    .description(`move a ${noun}’s file to archive/${refused ? `; ${refused}` : ''}`)
    .argument(`<${argument}>`, argumentText, check)
    .addHelpText('after', examples(`pve-cni ${noun} remove web`))
    .action(
      act(async (context, name: string) => {
        const answer = await showWaiting(context, {}, () => context.api.delete<FileReceipt>(path(name)));
        context.show(answer, renderFileReceipt);
      }),
    );
}
