import type { FileReceipt, SettingsDetail } from '../../model/panel-api.ts';
import type { Context } from '../context.ts';
import { paragraphs, sheet } from '../output.ts';

export const renderSettings =
  (context: Context) =>
  ({ settings, text, problem }: SettingsDetail): string =>
    paragraphs(
      sheet(context, [
        ['releaseAfterHours', settings.releaseAfterHours],
        ['identityTags', settings.identityTags.join(' ') || 'none'],
        ['flows', `${settings.flows.retentionDays} days, ${settings.flows.maxMegabytes} MB at most`],
      ]),
      problem ? `${context.colours.red('problem')} ${problem.message}` : '',
      text?.trimEnd() ?? '',
    );

export function renderFileReceipt({ message, operation }: FileReceipt): string {
  return `${message} (operation ${operation})`;
}
