import { subnetContains, usableRange } from '../core/addresses.ts';
import { canonicalIp, parseIp } from '../core/ip.ts';
import type { ContainerConfig } from '../model/container.ts';
import type { Network, Subnet } from '../model/network.ts';
import { type Service, type ServiceFile, type ServiceHealth, type ServicePort, serviceFile } from '../model/service.ts';
import { containerPath, stem } from './files.ts';
import { type Issue, refusal, validate } from './validate.ts';
import { parseYaml } from './yaml.ts';

/** services/NAME.yaml. @throws ConfigurationError naming file, field and what is allowed */
export function parseService(text: string, file: string): Service {
  const parsed = validate(serviceFile, parseYaml(text, file), file);
  const issues = [...addressIssues(parsed.address), ...nodePortIssues(parsed), ...healthIssues(parsed)];
  if (issues.length > 0) throw refusal(file, issues);
  return {
    name: stem(file),
    file,
    address: parsed.address === undefined ? null : (canonicalIp(parsed.address) ?? parsed.address),
    nodePort: parsed.nodePort ?? null,
    ports: parsed.ports.map(({ port, target, protocol }) => ({ port, target: target ?? port, protocol })),
    matchLabels: parsed.backends.matchLabels,
    affinity: parsed.affinity,
    health: parsed.health ? healthOf(parsed.health, parsed.ports) : null,
  };
}

/** Whose the service's address is already: another service's, a network's, a container's; or its node port. What only shows on a node (its own addresses,
 *  what the agent knows of) is looked up there. */
export function serviceIssues(
  { address, nodePort }: Service,
  others: {
    networks: ReadonlyMap<string, Network>;
    containers: readonly ContainerConfig[];
    services: ReadonlyMap<string, Service>;
  },
): Issue[] {
  const sharing = [...others.services.values()].find((other) => nodePort !== null && other.nodePort === nodePort);
  if (sharing) return [{ field: 'nodePort', message: `${nodePort} is the node port of ${sharing.file}; choose another` }];
  if (address === null) return [];
  const taken = (whose: string): Issue[] => [{ field: 'address', message: `${address} is ${whose}; choose another` }];
  for (const other of others.services.values()) if (other.address === address) return taken(`the address of ${other.file}`);
  for (const { vmid, interfaces } of others.containers)
    if (interfaces.some((one) => one.address !== 'auto' && one.address.some((text) => canonicalIp(text) === address)))
      return taken(`container ${vmid}'s (${containerPath(vmid)})`);
  for (const network of others.networks.values()) {
    const subnet = subnetsOf(network).find((one) => isOfSubnet(one, address));
    if (subnet) return taken(`one that ${network.file} gives out or uses itself (${subnet.range ?? subnet.cidr})`);
  }
  return [];
}

function subnetsOf(network: Network): readonly Subnet[] {
  return 'subnets' in network ? network.subnets : [];
}

/** Whether a container may get the address, or the network itself has it. */
function isOfSubnet(subnet: Subnet, address: string): boolean {
  const ip = parseIp(address);
  if (!ip || !subnetContains(subnet, address)) return false;
  if (subnet.range === undefined || (subnet.gateway !== undefined && canonicalIp(subnet.gateway) === address)) return true;
  const { first, last } = usableRange(subnet);
  return first <= ip.value && ip.value <= last;
}

/** Addresses that no packet to a service can have. */
const impossible = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3', '::/127', 'fe80::/10', 'ff00::/8'];

function addressIssues(address: string | undefined): Issue[] {
  if (address === undefined) return [];
  const range = impossible.find((cidr) => subnetContains({ cidr }, address));
  return range ? [{ field: 'address', message: `must be an address that hosts may have; ${address} is one of ${range}` }] : [];
}

function nodePortIssues({ nodePort, ports }: ServiceFile): Issue[] {
  const several = ports.find(({ protocol }, index) => ports.some((other, at) => at < index && other.protocol === protocol));
  if (nodePort === undefined || !several) return [];
  const protocol = several.protocol.toUpperCase();
  return [{ field: 'nodePort', message: `stands for one port, but ports has several of ${protocol}; write a service for each` }];
}

function healthIssues({ health, ports }: ServiceFile): Issue[] {
  if (!health) return [];
  const issues: Issue[] = [];
  if (health.timeoutSeconds > health.intervalSeconds)
    issues.push({ field: 'health.timeoutSeconds', message: 'must be at most intervalSeconds' });
  if (checkedPort(health.port, ports) === undefined)
    issues.push({ field: 'health.port', message: 'is missing: a service without TCP ports needs one that is asked over TCP' });
  return issues;
}

function healthOf(health: NonNullable<ServiceFile['health']>, ports: readonly ServicePort[]): ServiceHealth {
  return {
    check: health.http === undefined ? { kind: 'tcp' } : { kind: 'http', path: health.http },
    port: checkedPort(health.port, ports) ?? 0,
    intervalMs: health.intervalSeconds * 1000,
    timeoutMs: health.timeoutSeconds * 1000,
  };
}

function checkedPort(named: number | undefined, ports: readonly ServicePort[]): number | undefined {
  const first = ports.find(({ protocol }) => protocol === 'tcp');
  return named ?? first?.target ?? first?.port;
}
