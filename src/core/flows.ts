import type { Flow, FlowEnd, FlowFilter } from '../model/flow.ts';

/** Whether a flow is asked for. */
export function matches({ container, verdict, port, protocol, direction, since }: FlowFilter, flow: Flow): boolean {
  const { from, to } = flow;
  return (
    (since === undefined || flow.time >= since) &&
    (verdict === undefined || verdict.includes(flow.verdict)) &&
    (protocol === undefined || flow.protocol === protocol) &&
    (direction === undefined || flow.direction === direction) &&
    (port === undefined || from.port === port || to.port === port) &&
    (container === undefined || isContainer(from, container) || isContainer(to, container))
  );
}

/** A number is always a vmid: no container is found by a name that looks like another's number. */
function isContainer({ kind, vmid, name }: FlowEnd, wanted: string): boolean {
  if (kind !== 'container') return false;
  return /^\d+$/.test(wanted) ? String(vmid) === wanted : name === wanted;
}
