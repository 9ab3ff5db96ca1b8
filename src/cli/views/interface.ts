import type { InterfaceStatus } from '../../model/panel-api.ts';
import type { Context } from '../context.ts';
import { paragraphs, size, state, table } from '../output.ts';

export const renderInterfaces =
  (context: Context) =>
  (interfaces: InterfaceStatus[]): string => {
    if (interfaces.length === 0) return 'No interfaces. Attach one: pve-cni container attach 101 eth0=web';
    const rows = interfaces.map((one) => [
      one.vmid,
      one.container,
      one.ifname,
      one.network,
      state(context.colours, one.state),
      one.addresses.join(' ') || '-',
      one.hostIfname ?? '-',
      rate(one.traffic?.rxRate),
      rate(one.traffic?.txRate),
    ]);
    const odd = interfaces.flatMap(({ vmid, ifname, state: word, message }) =>
      message === null ? [] : [`${state(context.colours, word)} ${ifname} of ${vmid}: ${message}`],
    );
    const head = ['VMID', 'NAME', 'INTERFACE', 'NETWORK', 'STATE', 'ADDRESSES', 'ON HOST', 'IN', 'OUT'];
    return paragraphs(table(context, head, rows), odd.join('\n'));
  };

function rate(bytes: number | undefined): string {
  return bytes === undefined ? '-' : `${size(bytes)}/s`;
}
