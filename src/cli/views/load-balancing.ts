import type { ServiceView } from '../../model/api.ts';
import type { Context } from '../context.ts';
import { moment, paragraphs, sheet, state, table } from '../output.ts';

export const renderServices =
  (context: Context) =>
  (services: ServiceView[]): string => {
    if (services.length === 0) return 'No services are configured. Write services/NAME.yaml below the root that `pve-cni status` names.';
    const rows = services.map((service) => [
      service.name,
      [service.address ?? '', service.nodePort ? `nodes:${service.nodePort.port}` : ''].filter(Boolean).join(' '),
      portsOf(service),
      state(context.colours, service.state),
      `${service.backends.filter(({ up }) => up).length} of ${service.backends.length}`,
      service.message,
    ]);
    return table(context, ['NAME', 'ADDRESS', 'PORTS', 'STATE', 'UP', 'WHY'], rows);
  };

export const renderService =
  (context: Context) =>
  (service: ServiceView): string => {
    const { health, address, nodePort } = service;
    const facts = sheet(context, [
      ['name', service.name],
      ['state', state(context.colours, service.state)],
      ['why', service.message],
      ['file', service.file],
      ['address', address ?? ''],
      ['node port', nodePort ? `${nodePort.port}, ${nodePort.inForce ? 'served by this node' : 'not served by this node'}` : ''],
      ['ports', portsOf(service)],
      [
        'backends',
        Object.entries(service.matchLabels)
          .map((pair) => pair.join('='))
          .join(' '),
      ],
      ['affinity', service.affinity],
      ['health', health ? `${health.check} every ${health.intervalSeconds} s, within ${health.timeoutSeconds} s` : 'not checked'],
      ['in the agent', address === null ? '' : service.inAgent ? 'yes' : 'no'],
    ]);
    const rows = service.backends.map(({ vmid, name, node, address, up, reason, since }) => [
      vmid,
      name,
      node,
      address,
      state(context.colours, up ? 'up' : 'down'),
      moment(since),
      reason,
    ]);
    return paragraphs(facts, rows.length > 0 ? table(context, ['VMID', 'NAME', 'NODE', 'ADDRESS', 'STATE', 'SINCE', 'WHY'], rows) : '');
  };

/** 80→8080/tcp */
function portsOf({ ports }: ServiceView): string {
  return ports.map(({ port, target, protocol }) => `${port}${target === port ? '' : `→${target}`}/${protocol}`).join(' ');
}
