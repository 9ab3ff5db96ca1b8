import type { ChangeView, ContainerView, InterfaceView } from '../../model/api.ts';
import type { Context } from '../context.ts';
import { moment, paragraphs, sheet, state, table } from '../output.ts';

const addresses = ({ addresses, configuredAddress }: InterfaceView) => {
  if (addresses.length > 0) return addresses.join(' ');
  return Array.isArray(configuredAddress) ? `(${configuredAddress.join(' ')})` : '-';
};

const labelsOf = ({ labels }: ContainerView) =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');

const elsewhere = ({ node, status, ha }: NonNullable<ContainerView['place']>) =>
  `${status ?? 'is'} on ${node}${ha === null ? '' : ` (HA: ${ha})`}`;

export const renderContainers =
  (context: Context) =>
  (containers: ContainerView[]): string => {
    if (containers.length === 0) return 'No containers are attached. Attach one: pve-cni container attach 101 eth0=web';
    const { colours } = context;
    const rows = containers.flatMap(({ vmid, running, interfaces, place }) => {
      const life = place && !place.here ? elsewhere(place) : state(colours, running ? 'running' : 'stopped');
      if (interfaces.length === 0) return [[vmid, life, '-', '-', '-', '-']];
      return interfaces.map((one, index) => [
        index === 0 ? vmid : '',
        index === 0 ? life : '',
        one.name,
        one.network,
        state(colours, one.state),
        addresses(one),
      ]);
    });
    const odd = containers.flatMap(({ vmid, problem }) => (problem ? [`${colours.red('problem')} ${vmid}: ${problem.message}`] : []));
    return paragraphs(table(context, ['VMID', 'CONTAINER', 'INTERFACE', 'NETWORK', 'STATE', 'ADDRESSES'], rows), odd.join('\n'));
  };

export const renderContainer =
  (context: Context) =>
  (container: ContainerView): string => {
    const { colours } = context;
    const { lastRefusal, place, problem } = container;
    const facts = sheet(context, [
      ['container', container.vmid],
      ['state', place && !place.here ? elsewhere(place) : state(colours, container.running ? 'running' : 'stopped')],
      ['high availability', place?.here ? place.ha : null],
      ['init', container.initPid === null ? null : `pid ${container.initPid}`],
      ['namespace', container.netnsPath],
      ['CNI container id', container.containerId],
      ['when the network fails', container.onFailure === 'refuse' ? 'refuse the start' : 'start without'],
      ['file', container.file],
      ['labels', labelsOf(container)],
    ]);
    const rows = container.interfaces.map((one) => [
      one.name,
      one.network,
      state(colours, one.state),
      addresses(one),
      one.mac || '-',
      one.mtuBytes ?? '-',
      one.hostInterface || '-',
      one.defaultRoute ? 'yes' : 'no',
      moment(one.since),
    ]);
    const head = ['INTERFACE', 'NETWORK', 'STATE', 'ADDRESSES', 'MAC', 'MTU', 'ON HOST', 'DEFAULT ROUTE', 'SINCE'];
    const odd = [
      ...container.interfaces.flatMap(({ name, error }) => (error ? [`${colours.red('problem')} ${name}: ${error.message}`] : [])),
      ...(problem ? [`${colours.red('problem')} ${problem.message}`] : []),
      ...(lastRefusal
        ? [`${colours.yellow('last refusal')} ${moment(lastRefusal.time)} ${lastRefusal.message} (operation ${lastRefusal.operation})`]
        : []),
    ];
    const none = `No interfaces. Attach one: pve-cni container attach ${container.vmid} eth0=web`;
    return paragraphs(facts, rows.length > 0 ? table(context, head, rows) : none, odd.join('\n'));
  };

export const renderChange =
  (context: Context) =>
  ({ message, operation, container }: ChangeView): string =>
    paragraphs(`${message} (operation ${operation})`, renderContainer(context)(container));
