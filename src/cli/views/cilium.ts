import type { CiliumConfigView, CiliumStatusView, CiliumWorkView } from '../../model/cilium-api.ts';
import type { Context } from '../context.ts';
import { moment, paragraphs, sheet, state, table } from '../output.ts';

export const renderCiliumStatus =
  (context: Context) =>
  (status: CiliumStatusView): string => {
    const { colours } = context;
    const { agent, installed } = status;
    const facts = sheet(context, [
      ['Cilium', state(colours, status.state)],
      ['version', agent?.version],
      ['installed', installed && `${installed.version} from ${installed.from}, ${moment(installed.time)}`],
      ['folder', installed?.folder],
      ...status.units.map(({ name, state: word }) => [name.replace(/\.service$/, ''), state(colours, word)] as const),
      ['agent', agent ? `${agent.state}${agent.message ? `: ${agent.message}` : ''}` : 'does not answer'],
      ['key-value store', agent?.kvstore],
      ['Hubble', agent?.hubble],
      ['addresses', agent?.addresses],
      ['endpoints', agent && `${agent.endpoints.ready} of ${agent.endpoints.total} ready`],
      ['routing', agent?.routing],
      ['masquerading', agent?.masquerading],
      ['programs attached by', agent?.attachMode],
      ['encryption', agent?.encryption],
    ]);
    const nodes = (agent?.nodes ?? []).map(({ name, address, range }) => [name, address || '-', range || '-']);
    const peers = (agent?.peers ?? []).map((peer) => [
      peer.node || '-',
      peer.address,
      peer.key,
      peer.lastHandshake || '-',
      peer.sentBytes,
      peer.receivedBytes,
    ]);
    const failing = (agent?.failingControllers ?? []).map(
      ({ name, failures, message }) => `${colours.red('problem')} ${name} failed ${failures} times: ${message}`,
    );
    const differences = status.differences.map(({ what, wanted, is, cure }) => [what, wanted, is, cure]);
    const hint = status.state === 'off' ? 'Nothing is installed. See pve-cni cilium preflight, then pve-cni cilium install' : '';
    return paragraphs(
      facts,
      nodes.length > 0 ? table(context, ['NODE', 'ADDRESS', 'RANGE'], nodes) : '',
      peers.length > 0 ? table(context, ['PEER', 'ADDRESS', 'KEY', 'LAST HANDSHAKE', 'SENT', 'RECEIVED'], peers) : '',
      failing.join('\n'),
      differences.length > 0 ? table(context, ['DIFFERS', 'WANTED', 'IS', 'CURE'], differences) : '',
      hint,
    );
  };

export const renderCiliumConfig =
  (context: Context) =>
  ({ folder, flags, differences, needsRestart, written }: CiliumConfigView): string => {
    const rows = Object.entries(flags).map(([flag, value]) => [flag, value]);
    const differing = differences.map(({ flag, wanted, onDisk, running }) => [
      flag,
      wanted ?? '(not set)',
      onDisk ?? '(not set)',
      running ?? '-',
    ]);
    return paragraphs(
      table(context, ['FLAG', 'VALUE'], rows),
      written.length > 0 ? `written to ${folder}: ${written.join(', ')}` : '',
      differing.length > 0 ? table(context, ['DIFFERS', 'WANTED', 'ON DISK', 'RUNNING'], differing) : `${folder} is as it should be`,
      needsRestart ? 'The agent runs with other values: systemctl restart pve-cni-cilium' : '',
    );
  };

export const renderCiliumWork =
  (_context: Context) =>
  ({ message, operation }: CiliumWorkView): string =>
    `${message} (operation ${operation})`;
