import { canonicalIp } from '../core/ip.ts';
import { vmidOf } from '../core/labels.ts';
import type { IpLink } from '../host/ip.ts';
import type { Life } from '../model/attachment.ts';
import type { CniResult } from '../model/cni.ts';
import type { ContainerInterface } from '../model/container.ts';
import { failure } from '../model/errors.ts';
import type { Dependencies } from './dependencies.ts';

/** An interface that Proxmox or LXC made on a bridge of the node, and that a chain is run over. It stays theirs. */
export interface Adopted {
  hostInterface: string;
  mac: string;
  /** with prefix length: on the link, or those that the container will give it itself; none: not known yet */
  addresses: string[];
  /** of those, the ones that are not on the link */
  absent: string[];
}

/** longer than an operation lasts */
const lentSeconds = 120;

/** Cilium's numbers of `reserved:host`, `health` and `remote-node` (pkg/identity/numericidentity.go). */
const nodeIdentities = new Set([1, 4, 6]);

/** Finds it. @throws InterfaceError when it is not there, on another bridge, or not the container's first */
export async function findAdopted(deps: Dependencies, life: Life, wanted: ContainerInterface, bridge: string): Promise<Adopted> {
  const { host, proxmox } = deps;
  const { vmid } = life;
  const context = { vmid, ifname: wanted.name, network: wanted.network };
  const links = await host.ip.addresses(life.netnsPath);
  const link = links.find(({ ifname }) => ifname === wanted.name);
  const hostInterface = link?.link_index === undefined ? null : await host.linkByIndex(link.link_index);
  if (!link || !hostInterface)
    throw failure(
      'INTERFACE_UNKNOWN',
      `cannot protect ${wanted.name} of container ${vmid}: it has no such interface on a bridge of the node; make it first (pct set ${vmid} -net0 name=${wanted.name},bridge=${bridge},…)`,
      context,
    );
  if (!(await leadsInto(deps, hostInterface, life, link.ifindex)))
    throw failure(
      'INTERFACE_CONFLICT',
      `cannot protect ${wanted.name} of container ${vmid}: it says that its other end is ${hostInterface}, which is not so; something inside has put an interface of its own in its place`,
      { ...context, hostInterface },
    );
  const master = await host.masterOf(hostInterface);
  // a NIC with Proxmox's firewall sits on a bridge of its own, which leads to the one that it is configured for
  if (master !== bridge && !/^fwbr\d+i\d+$/.test(master ?? ''))
    throw failure(
      'INTERFACE_CONFLICT',
      `cannot protect ${wanted.name} of container ${vmid}: it is on ${master ?? 'no bridge'}, not on ${bridge}`,
      {
        ...context,
        master,
      },
    );
  const first = links.find(({ link_netnsid }) => link_netnsid !== undefined);
  if (first?.ifname !== wanted.name)
    throw failure(
      'UNSUPPORTED',
      `cannot protect ${wanted.name} of container ${vmid}: Cilium takes the first interface of a container, which is ${first?.ifname}; protect that one`,
      context,
    );
  const planned = (await proxmox.nics(vmid)).find(({ ifname }) => ifname === wanted.name)?.addresses ?? [];
  const lent = addressesOf({ ...link, addr_info: link.addr_info.filter(({ dynamic }) => dynamic) });
  const present = addressesOf(link).filter((address) => !(lent.includes(address) && planned.includes(address)));
  const addresses = present.length > 0 ? present : planned;
  return { hostInterface, mac: link.address ?? '', addresses, absent: addresses.filter((address) => !present.includes(address)) };
}

/** Refuses addresses of nodes and of other containers. Who took one inside would be known by it on every node, with an identity that
 *  policies then give the owner. @throws IPAMError IPAM_ADDRESS_TAKEN, CNIError CILIUM_UNAVAILABLE */
export async function refuseTaken(deps: Dependencies, { addresses }: Adopted, vmid: number, ifname: string): Promise<void> {
  const own = addresses.map((address) => canonicalIp(address.split('/')[0] ?? '') ?? address);
  const owner = (await ownersOf(deps, vmid)).find(({ address }) => own.includes(canonicalIp(address) ?? ''));
  if (!owner) return;
  throw failure(
    'IPAM_ADDRESS_TAKEN',
    `cannot protect ${ifname} of container ${vmid}: its address ${owner.address} belongs to ${owner.who}; give it another one`,
    { vmid, ifname, address: owner.address },
  );
}

/** Addresses that a container must not have: of others in the journal and among the reservations, of nodes and of other nodes' containers
 *  as Cilium knows them. */
async function ownersOf({ store, cilium }: Dependencies, vmid: number): Promise<{ address: string; who: string }[]> {
  const { agent } = cilium;
  const attached = store.attachments.brief().flatMap((row) => row.addresses.map((address) => ({ address, vmid: row.vmid })));
  const reserved = store.addresses.list().map((row) => ({ address: row.address, vmid: row.vmid }));
  const containers = [...attached, ...reserved].filter((one) => one.vmid !== vmid);
  const single = (await agent.knownAddresses()).flatMap(({ cidr, identity }) => {
    const [address = '', length = ''] = cidr.split('/');
    return /^(32|128)$/.test(length) ? [{ address, identity }] : [];
  });
  const labels = new Map((await agent.identities()).map((identity) => [identity.id, identity.labels] as const));
  const known = single.flatMap(({ address, identity }) => {
    if (nodeIdentities.has(identity)) return [{ address, who: 'a node' }];
    const other = vmidOf(labels.get(identity) ?? []);
    return other === null || other === vmid ? [] : [{ address, who: `container ${other}` }];
  });
  return [...containers.map(({ address, vmid: other }) => ({ address, who: `container ${other}` })), ...known];
}

/** Whether a host interface's other end is in a container, and is its link of that number. What a container says of its links proves
 *  nothing: root inside makes pairs with namespaces of its own, whose numbers are those of other containers' interfaces here. */
export async function leadsInto({ host }: Dependencies, hostInterface: string, { initPid }: Life, ifindex?: number): Promise<boolean> {
  // the order matters: the kernel gives the namespace its number when the link is shown
  const [link] = await host.ip.addresses('', hostInterface);
  if (link?.link_netnsid === undefined || (ifindex !== undefined && link.link_index !== ifindex)) return false;
  return link.link_netnsid === (await host.netns.idOf(initPid));
}

/** Global addresses of a link, with prefix length. */
export function addressesOf({ addr_info }: IpLink): string[] {
  return addr_info.flatMap(({ local, prefixlen, scope }) => (local && scope === 'global' ? [`${local}/${prefixlen}`] : []));
}

/** What a plugin would have answered that had made the interface. */
export function previousResult({ hostInterface, mac, addresses }: Adopted, ifname: string, netns: string): CniResult {
  return {
    cniVersion: '1.0.0',
    interfaces: [{ name: hostInterface }, { name: ifname, mac, sandbox: netns }],
    ips: addresses.map((address) => ({ address, interface: 1 })),
    routes: [],
    dns: {},
  };
}

/** Runs work while the link has the addresses that the container is going to give it: Cilium reads them from there. Afterwards the link
 *  is as it was, so that the container's own set-up finds nothing in its way. Should the service die meanwhile, they are known by having an
 *  end, which comes by itself. */
export async function withAddresses<T>(
  { host }: Dependencies,
  { absent }: Adopted,
  ifname: string,
  netns: string,
  work: () => Promise<T>,
): Promise<T> {
  if (absent.length === 0) return work();
  await host.ip.batch(
    absent.map(
      (address) =>
        `address replace ${address} dev ${ifname} valid_lft ${lentSeconds} preferred_lft ${lentSeconds}${address.includes(':') ? ' nodad' : ''}`,
    ),
    netns,
  );
  try {
    return await work();
  } finally {
    await host.ip.batch(
      absent.map((address) => `address del ${address} dev ${ifname}`),
      netns,
    );
  }
}
