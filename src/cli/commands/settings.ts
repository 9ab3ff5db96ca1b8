import type { Command } from 'commander';
import type { FileReceipt, SettingsDetail } from '../../model/panel-api.ts';
import { type TextFile, textFile } from '../arguments.ts';
import { type Act, examples } from '../program.ts';
import { renderFileReceipt, renderSettings } from '../views/settings.ts';

export function addSettingsCommands(program: Command, act: Act): void {
  const settings = program
    .command('settings')
    .description('the settings of the cluster')
    .addHelpText('after', examples('pve-cni settings show', 'pve-cni settings apply settings.yaml'));

  settings
    .command('show')
    .description('what serves, and the text of the file')
    .addHelpText('after', examples('pve-cni settings show', 'pve-cni settings show --json | jq -r .text'))
    .action(act(async (context) => context.show(await context.api.get<SettingsDetail>('/v1/settings'), renderSettings(context))));

  settings
    .command('apply')
    .description('write the file of the settings; nothing is written when it would not serve')
    .argument('<FILE>', 'the settings; - for stdin', textFile)
    .addHelpText('after', examples('pve-cni settings apply settings.yaml'))
    .action(
      act(async (context, { text }: TextFile) =>
        context.show(await context.api.put<FileReceipt>('/v1/settings', { text }), renderFileReceipt),
      ),
    );
}
