import type { Explanation, PolicyDiff } from '../../model/explain-api.ts';
import type { Context } from '../context.ts';
import { paragraphs, sheet, state } from '../output.ts';

export const renderPolicyDiff =
  (context: Context) =>
  ({ diff, selects, findings }: PolicyDiff): string => {
    const { colours } = context;
    const lines = diff
      .trimEnd()
      .split('\n')
      .map((line) => (/^\+(?!\+\+ )/.test(line) ? colours.green(line) : /^-(?!-- )/.test(line) ? colours.red(line) : line));
    const gained = selects.after.filter((vmid) => !selects.before.includes(vmid));
    const lost = selects.before.filter((vmid) => !selects.after.includes(vmid));
    return paragraphs(
      diff === '' ? 'Nothing changes.' : lines.join('\n'),
      sheet(context, [
        ['it is about', selects.after.join(' ') || 'no container'],
        ['new', gained.join(' ')],
        ['no more', lost.join(' ')],
      ]),
      findings.map(({ message }) => `${colours.red('problem')} ${message}`).join('\n'),
    );
  };

export const renderExplanation =
  (context: Context) =>
  ({ verdict, sentence, by, nearest }: Explanation): string =>
    paragraphs(
      `${state(context.colours, verdict)}  ${sentence}`,
      sheet(context, [
        ['policy', by?.policy],
        ['rule', by?.rule],
        ['nearest', nearest ? `${nearest.rule} of policy ${nearest.policy}: ${nearest.change}` : null],
      ]),
    );
