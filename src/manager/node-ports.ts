import { type NodePort, nodePortsOf, portKey } from '../core/node-ports.ts';
import type { Backend } from '../core/services.ts';
import type { ServiceView } from '../model/api.ts';
import { asPveCniError } from '../model/errors.ts';
import type { Service } from '../model/service.ts';
import type { Dependencies } from './dependencies.ts';

/** How often the kernel and the node's processes are looked at although nothing of ours has changed, ms. */
const lookMs = 5000;

/** br_netfilter; where it is on, a packet of the LAN that is turned to what lies behind the same port of the bridge is bridged, not routed,
 *  and a bridge sends nothing back where it came from (br_nf_pre_routing_finish, should_deliver in the kernel's net/bridge). */
const bridgedPath = '/proc/sys/net/bridge/bridge-nf-call-iptables';

/** Serves the services' node ports on this node. */
export interface NodePortKeeper {
  /** Makes them what the services and their backends say; never throws. */
  settle(services: readonly { service: Service; backends: readonly Backend[] }[]): Promise<void>;
  /** Whether this node serves the service's port, and what is wrong with it; null: nothing. */
  stateOf(service: Service): { inForce: boolean; problem: Pick<ServiceView, 'state' | 'message'> | null };
}

export function createNodePortKeeper(
  { datapath, host, clock, log, settings }: Pick<Dependencies, 'datapath' | 'host' | 'clock' | 'log' | 'settings'>,
  node: string,
): NodePortKeeper {
  /** `30080/tcp` of what is served; null: whatever an earlier life left was not looked at yet */
  let served: Set<string> | null = null;
  let listening = new Set<string>();
  let asked = '';
  let lookedAt = 0;
  let failed: string | null = null;
  /** services with backends that the LAN does not reach by this node */
  let unreached = new Set<string>();

  async function serve(wanted: readonly NodePort[], deep: boolean): Promise<void> {
    const before = served ?? (await datapath.nodePorts.served());
    listening = wanted.length > 0 ? await host.listeningPorts() : new Set();
    // a port that a process has is not taken away from it; one that was ours before stays ours
    const ports = wanted.filter((one) => !listening.has(portKey(one)) || before.has(portKey(one)));
    const changed = await datapath.nodePorts.apply(ports, { deep: deep || served === null });
    served = new Set(ports.map(portKey));
    if (changed) log.info({ ports: [...served] }, 'the node ports changed');
  }

  async function unreachedOf(services: Parameters<NodePortKeeper['settle']>[0]): Promise<string[]> {
    const remote = services.filter(
      ({ service, backends }) => service.nodePort !== null && backends.some((one) => one.up && one.node !== node),
    );
    if (settings.cilium.routing !== 'native' || remote.length === 0) return [];
    return (await host.readText(bridgedPath))?.trim() === '1' ? remote.map(({ service }) => service.name) : [];
  }

  return {
    async settle(services) {
      const wanted = services.flatMap(({ service, backends }) => nodePortsOf(service, backends));
      const now = JSON.stringify(wanted);
      const deep = clock() - lookedAt >= lookMs;
      if (now === asked && (!deep || (wanted.length === 0 && failed === null))) return;
      asked = now;
      lookedAt = clock();
      unreached = new Set(await unreachedOf(services));
      try {
        await serve(wanted, deep);
        failed = null;
      } catch (thrown) {
        // again when it is looked the next time
        const { message } = asPveCniError(thrown);
        if (message !== failed) log.warn({ reason: message }, 'the node ports are not in force');
        failed = message;
      }
    },
    stateOf({ name, nodePort, ports }) {
      if (nodePort === null) return { inForce: false, problem: null };
      const keys = ports.map(({ protocol }) => portKey({ port: nodePort, protocol }));
      const inForce = keys.every((key) => served?.has(key)) && failed === null;
      const taken = keys.filter((key) => listening.has(key)).join(', ');
      const look = `see ss -lntup sport = :${nodePort}`;
      const problem = (state: ServiceView['state'], message: string) => ({ inForce, problem: { state, message } });
      if (failed !== null) return problem('unavailable', `its node port is not in force: ${failed}`);
      if (taken !== '' && inForce)
        return problem('degraded', `a process of this node listens on ${taken} as well and is reached at loopback only; ${look}`);
      if (taken !== '')
        return problem('refused', `a process of this node listens on ${taken}: choose another nodePort, or end it; ${look}`);
      if (inForce && unreached.has(name))
        return problem(
          'degraded',
          'the LAN does not reach backends of other nodes by this node’s port: the firewall looks at bridged packets (net.bridge.bridge-nf-call-iptables is 1); set it to 0, or cilium.routing to tunnel',
        );
      return inForce ? { inForce, problem: null } : problem('pending', 'its node port is not in force yet');
    },
  };
}
