import { failure } from '../model/errors.ts';
import type { CiliumNetwork } from '../model/network.ts';
import type { Requester } from '../model/operation.ts';
import { attachInterface, detachInterface, moveInterface } from './configure.ts';
import type { Dependencies } from './dependencies.ts';
import { runningInit } from './observe.ts';
import type { Operations } from './operations.ts';

/** Puts Cilium onto an interface that a container has: Proxmox's own on a bridge of the node, or one of ours on a bridge network. What
 *  the container has stays as it is. Gives the operation. */
export async function protect(
  deps: Dependencies,
  operations: Operations,
  vmid: number,
  ifname: string,
  requester: Requester,
): Promise<string> {
  const { own, network } = await configured(deps, vmid, ifname);
  const context = { vmid, ifname, ...(own && { network: own.network }) };
  if (network?.type === 'cilium')
    throw failure(
      'INTERFACE_EXISTS',
      `cannot protect ${ifname} of container ${vmid}: Cilium has it already, on network "${network.name}"`,
      context,
    );
  if (own && network?.type !== 'bridge')
    throw failure(
      'UNSUPPORTED',
      `cannot protect ${ifname} of container ${vmid}: network "${own.network}" is of type ${network?.type ?? 'unknown'}; only interfaces on bridges can be`,
      context,
    );
  const on = own?.network ?? (await bridgeOf(deps, vmid, ifname));
  const chained = await chainedNetwork(deps, on);
  if (own) return moveInterface(deps, operations, vmid, ifname, chained, requester);
  return attachInterface(deps, operations, vmid, { interface: { name: ifname, network: chained, address: 'auto' } }, requester);
}

/** The way back: the interface is what it was. */
export async function unprotect(
  deps: Dependencies,
  operations: Operations,
  vmid: number,
  ifname: string,
  requester: Requester,
): Promise<string> {
  const { network } = await configured(deps, vmid, ifname);
  if (network?.type !== 'cilium' || network.mode !== 'chained')
    throw failure('INTERFACE_UNKNOWN', `cannot unprotect ${ifname} of container ${vmid}: it is not protected`, { vmid, ifname });
  if (network.base) return moveInterface(deps, operations, vmid, ifname, network.base.name, requester);
  return detachInterface(deps, operations, vmid, ifname, requester);
}

/** The interface as it is in the container's file, and its network. */
async function configured({ configuration }: Dependencies, vmid: number, ifname: string) {
  const { containers, networks } = await configuration.refresh(vmid);
  const own = containers.get(vmid)?.interfaces.find(({ name }) => name === ifname);
  return { own, network: own && networks.get(own.network) };
}

/** The bridge of the node that an interface is on: as the running container has it, else as Proxmox is to make it. */
async function bridgeOf(deps: Dependencies, vmid: number, ifname: string): Promise<string> {
  const { host, proxmox, store } = deps;
  const planned = (await proxmox.nics(vmid)).find((nic) => nic.ifname === ifname)?.bridge;
  if (planned) return planned;
  const init = await runningInit(deps, vmid, store.lives.get(vmid));
  const links = init ? await host.ip.addresses(`/proc/${init.pid}/ns/net`) : [];
  const peer = links.find((link) => link.ifname === ifname)?.link_index;
  const hostInterface = peer === undefined ? null : await host.linkByIndex(peer);
  const bridge = hostInterface && (await host.masterOf(hostInterface));
  if (bridge) return bridge;
  throw failure(
    'INTERFACE_UNKNOWN',
    init
      ? `cannot protect ${ifname} of container ${vmid}: it has no interface ${ifname} on a bridge of this node`
      : `cannot protect ${ifname} of container ${vmid}: it does not run here, and Proxmox knows no interface ${ifname} of it; start it first`,
    { vmid, ifname },
  );
}

/** The chained network on a bridge; written when there is none yet. */
async function chainedNetwork({ configuration }: Dependencies, on: string): Promise<string> {
  const networks = [...configuration.current.networks.values()];
  const known = networks.find((one): one is CiliumNetwork => one.type === 'cilium' && one.mode === 'chained' && one.on === on);
  if (known) return known.name;
  const name = `protected-${on}`;
  await configuration.writeNetwork(name, `# made by pve-cni container protect\ntype: cilium\nmode: chained\non: ${on}\n`);
  return name;
}
