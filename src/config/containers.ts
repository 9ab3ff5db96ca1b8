import { isUsable } from '../core/addresses.ts';
import { usesCilium } from '../core/cilium-plugin.ts';
import { canonicalIp } from '../core/ip.ts';
import { poolOf } from '../core/pools.ts';
import { type ContainerConfig, type ContainerFile, containerFile } from '../model/container.ts';
import type { Network } from '../model/network.ts';
import { containerPath, stem } from './files.ts';
import { type Issue, validate } from './validate.ts';
import { parseYaml, renderYaml } from './yaml.ts';

/** containers/VMID.yaml. @throws ConfigurationError naming file, field and what is allowed */
export function parseContainerFile(text: string, file: string): ContainerConfig {
  return { vmid: Number(stem(file)), ...validate(containerFile, parseYaml(text, file), file) };
}

/** The text of a container's file: keys in one order, what is the default left out.
 *  @throws ConfigurationError CONFIG_INVALID when the object is not one that could be read again */
export function renderContainerFile(vmid: number, config: ContainerFile): string {
  const { interfaces, labels = {}, onFailure } = validate(containerFile, config, containerPath(vmid));
  return renderYaml({
    interfaces: interfaces.map(({ name, network, address, defaultRoute }) => ({
      name,
      network,
      ...(address !== 'auto' && { address }),
      ...(defaultRoute !== undefined && { defaultRoute }),
    })),
    ...(Object.keys(labels).length > 0 && { labels }),
    ...(onFailure !== 'refuse' && { onFailure }),
  });
}

/** Who has a fixed address: `NETWORK ADDRESS` (canonical) → vmid. */
export type FixedAddresses = Map<string, number>;

/** What of a container does not go with the networks and with the containers before it. `fixed` gets its addresses. */
export function containerIssues(
  container: ContainerConfig,
  networks: ReadonlyMap<string, Network>,
  refused: ReadonlyMap<string, string>,
  fixed: Pick<FixedAddresses, 'get' | 'set'>,
): Issue[] {
  const endpoint = container.interfaces.find(({ network }) => isCiliums(networks.get(network)));
  return container.interfaces.flatMap(({ name: ifname, network: name, address }, index) => {
    const field = `interfaces[${index}]`;
    const network = networks.get(name);
    if (!network) return [unknownNetwork(`${field}.network`, name, networks, refused.get(name))];
    if (endpoint && endpoint.name !== ifname && isCiliums(network))
      return [
        {
          field: `${field}.network`,
          message: `${name} is carried by Cilium, and so is ${endpoint.network} of ${endpoint.name}; a container has one endpoint of Cilium at most`,
          code: 'UNSUPPORTED' as const,
        },
      ];
    if (address === 'auto') return [];
    return address.flatMap((text, position) => {
      const at = `${field}.address[${position}]`;
      const pool = poolOf(network);
      if (pool && !pool.subnets.some((subnet) => isUsable(subnet, text)))
        return [{ field: at, message: outside(text, network.name, pool.subnets), code: 'IPAM_ADDRESS_OUTSIDE' as const }];
      const key = `${pool?.network ?? name} ${canonicalIp(text)}`;
      const owner = fixed.get(key);
      if (owner === undefined) fixed.set(key, container.vmid);
      else if (owner === container.vmid) return [{ field: at, message: `${text} is given twice` }];
      else
        return [
          {
            field: at,
            message: `${text} on ${name} is container ${owner}'s (${containerPath(owner)}); choose another`,
            code: 'IPAM_ADDRESS_TAKEN' as const,
          },
        ];
      return [];
    });
  });
}

/** Whether an interface on it is an endpoint of Cilium's agent. */
function isCiliums(network: Network | undefined): boolean {
  return network?.type === 'cilium' || (network?.type === 'cni' && usesCilium(network.conflist));
}

function unknownNetwork(field: string, name: string, networks: ReadonlyMap<string, Network>, refusedFile: string | undefined): Issue {
  const why = refusedFile ? `its file ${refusedFile} is refused` : `configured are ${[...networks.keys()].join(', ') || 'none'}`;
  return { field, message: `${name} is not a network that serves: ${why}`, code: 'NETWORK_UNKNOWN' };
}

function outside(address: string, network: string, subnets: readonly { cidr: string }[]): string {
  const list = subnets.map(({ cidr }) => cidr).join(', ') || 'no subnets';
  return `${address} is not one that a container on ${network} may have (${list}, without network, broadcast and gateway addresses)`;
}
