import type { NetworkView } from '../../model/api.ts';
import type { Context } from '../context.ts';
import { paragraphs, sheet, state, table } from '../output.ts';

export const renderNetworks =
  (context: Context) =>
  (networks: NetworkView[]): string => {
    if (networks.length === 0) return 'No networks are configured. Write networks/NAME.yaml below the root that `pve-cni status` names.';
    const rows = networks.map((network) => [
      network.name,
      network.type,
      state(context.colours, network.state),
      network.bridge ?? '-',
      network.subnets.map(({ cidr }) => cidr).join(' ') || '-',
      network.containers.length,
    ]);
    const odd = networks.flatMap(({ name, problem }) => (problem ? [`${context.colours.red('problem')} ${name}: ${problem.message}`] : []));
    return paragraphs(table(context, ['NAME', 'TYPE', 'STATE', 'BRIDGE', 'SUBNETS', 'CONTAINERS'], rows), odd.join('\n'));
  };

function nodeOf({ node, ready, message, online }: NetworkView['nodes'][number]): string {
  return `${node}${online === false ? ' (offline)' : ''}${ready ? '' : `: ${message}`}`;
}

export const renderNetwork =
  (context: Context) =>
  (network: NetworkView): string => {
    const { colours } = context;
    const facts = sheet(context, [
      ['name', network.name],
      ['type', network.type],
      ['state', state(colours, network.state)],
      ['file', network.file],
      ['bridge', network.bridge],
      ['containers', network.containers.join(' ') || 'none'],
      ['nodes', network.nodes.map(nodeOf).join('; ') || 'none has said that it can make it'],
    ]);
    const subnets = network.subnets.map(({ cidr, gateway, range, used, size }) => [
      cidr,
      gateway ?? '-',
      range ?? 'all',
      `${used} of ${size}`,
    ]);
    const odd = [
      ...network.warnings.map((warning) => `${colours.yellow('warning')} ${warning}`),
      ...(network.problem ? [`${colours.red('problem')} ${network.problem.message}`] : []),
    ];
    return paragraphs(facts, subnets.length > 0 ? table(context, ['SUBNET', 'GATEWAY', 'RANGE', 'USED'], subnets) : '', odd.join('\n'));
  };
