import type { FlowEndView, FlowLine, FlowLossView, FlowsView, FlowView } from '../../model/flow-api.ts';
import type { Context } from '../context.ts';
import { moment, paragraphs, state, table } from '../output.ts';

const head = ['TIME', 'VERDICT', 'WAY', 'PROTOCOL', 'FROM', 'TO', 'WHY'];
/** of lines that come one by one, so that no column is known whole */
const widths = [20, 10, 7, 8, 30, 30, 0];

export const renderFlows =
  (context: Context) =>
  ({ flows, losses }: FlowsView): string => {
    const missed = [...losses].reverse().map((loss) => `${context.colours.yellow('lost')} ${lossInWords(loss)}`);
    if (flows.length === 0)
      return paragraphs(missed.join('\n'), 'No flows are kept that match. See pve-cni status, whether Hubble is connected.');
    const rows = [...flows].reverse().map((flow) => colour(context, cells(flow)));
    return paragraphs(table(context, head, rows), missed.join('\n'));
  };

export const renderFlowLine =
  (context: Context) =>
  (line: FlowLine): string => {
    if (line.type === 'loss') return `${moment(line.until)}  ${context.colours.yellow('lost')}  ${lossInWords(line)}`;
    const padded = cells(line).map((cell, column) => cell.padEnd(widths[column] ?? 0));
    return colour(context, padded).join('  ').trimEnd();
  };

function cells({ time, verdict, direction, protocol, from, to, reason, policies, detail }: FlowView): string[] {
  const policy = policies.length > 0 ? `by ${policies.join(', ')}` : '';
  const why = [reason, policy, detail].filter(Boolean).join('; ');
  return [moment(time), verdict, direction ?? '-', protocol, end(from), end(to), why].map((cell) => cell.replace(/\s+/g, ' '));
}

function colour({ colours }: Context, [time = '', verdict = '', ...rest]: string[]): string[] {
  const word = verdict.trimEnd();
  return [time, state(colours, word) + verdict.slice(word.length), ...rest];
}

/** web (101) 10.20.0.10:443 */
function end({ kind, vmid, name, address, port }: FlowEndView): string {
  const own = vmid === null ? '' : name === String(vmid) ? name : `${name} (${vmid})`;
  const who = own || [kind === 'unknown' ? '' : kind, name].filter(Boolean).join(' ');
  const where = port === null ? address : `${address.includes(':') ? `[${address}]` : address}:${port}`;
  return [who, where].filter(Boolean).join(' ');
}

const places: Record<FlowLossView['place'], string> = {
  kernel: 'the agent did not keep up with the kernel',
  agent: 'Hubble did not keep up with the agent',
  hubble: 'they came faster than the service reads',
  queue: 'they came faster than they could be written',
  store: 'they could not be written',
  follower: 'they came faster than they were shown here',
  away: 'Cilium’s agent or the service was away',
};

function lossInWords({ place, since, until, count }: FlowLossView): string {
  const time = since === until ? moment(since) : `${moment(since)} to ${moment(until)}`;
  return `${count === null ? 'flows are missing' : `${count} flows`}, ${time}: ${places[place]}`;
}
