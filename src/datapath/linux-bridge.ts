import { canonicalIp } from '../core/ip.ts';
import type { Host } from '../host/host.ts';
import { failure } from '../model/errors.ts';

/** The Linux bridge of a network, as it should be on the node. */
export interface BridgeSpec {
  name: string;
  network: string;
  mtuBytes: number;
  /** with prefix length; the gateway's addresses */
  addresses: readonly string[];
  /** subnets to masquerade when their packets leave by another link; empty: none */
  masquerade: readonly string[];
}

/** By what our bridges are known from others': their alias. */
const aliasPrefix = 'pve-cni:';

/** What differs from the specification, in words; null for "nothing". Costs no process. @throws InterfaceError INTERFACE_CONFLICT when the name belongs to somebody else's link */
export async function inspectBridge(host: Host, spec: BridgeSpec): Promise<string | null> {
  const link = await host.readLink(spec.name);
  if (!link) return 'absent';
  if (!link.isBridge || link.alias !== aliasPrefix + spec.network)
    throw failure(
      'INTERFACE_CONFLICT',
      `cannot use ${spec.name} as the bridge of network "${spec.network}": a link of that name exists and is not ours; set bridge.name`,
      {
        network: spec.network,
        link: spec.name,
        alias: link.alias,
      },
    );
  if (!link.up) return 'down';
  if (!link.macSet) return 'its MAC follows its ports';
  if (link.mtuBytes !== spec.mtuBytes) return `its MTU is ${link.mtuBytes}, not ${spec.mtuBytes}`;
  const local = await host.localAddresses();
  const missing = spec.addresses.find((one) => !hasAddress(local, spec.name, one.split('/')[0] ?? ''));
  return missing ? `address ${missing} is missing` : null;
}

/** Makes the bridge what it should be; nothing when it is. Returns whether anything was changed. */
export async function applyBridge(host: Host, spec: BridgeSpec): Promise<boolean> {
  const before = await inspectBridge(host, spec);
  if (before !== null) {
    const lines = before === 'absent' ? [`link add name ${spec.name} type bridge`] : [];
    lines.push(`link set dev ${spec.name} alias ${aliasPrefix}${spec.network}`, `link set dev ${spec.name} mtu ${spec.mtuBytes} up`);
    for (const address of spec.addresses) lines.push(`address replace ${address} dev ${spec.name}${address.includes(':') ? ' nodad' : ''}`);
    await host.ip.batch(lines);
    await keepMac(host, spec.name);
  }
  return before !== null;
}

/** Without it a bridge takes the lowest MAC of its ports: neighbours would lose the gateway when a container joins, and the bridge plugin's
 *  CHECK would fail for those that are there. */
async function keepMac(host: Host, name: string): Promise<void> {
  const link = await host.readLink(name);
  if (link && !link.macSet) await host.ip.batch([`link set dev ${name} address ${link.mac}`]);
}

/** Removes the bridge of a network that is gone: only one that carries our alias and has no ports left. */
export async function removeBridge(host: Host, name: string): Promise<void> {
  const link = await host.readLink(name);
  if (!link?.alias.startsWith(aliasPrefix)) return;
  const ports = await host.portsOf(name);
  if (ports.length > 0)
    throw failure('NETWORK_IN_USE', `cannot remove bridge ${name}: ${ports.join(', ')} still ${ports.length === 1 ? 'is' : 'are'} on it`, {
      link: name,
    });
  await host.ip.batch([`link delete dev ${name}`]);
}

/** Our bridges on this node, by their alias. */
export async function ourBridges(host: Host): Promise<{ name: string; network: string }[]> {
  const links = await Promise.all((await host.listLinks()).map(host.readLink));
  return links.flatMap((link) =>
    link?.isBridge && link.alias.startsWith(aliasPrefix) ? [{ name: link.name, network: link.alias.slice(aliasPrefix.length) }] : [],
  );
}

function hasAddress(local: Awaited<ReturnType<Host['localAddresses']>>, link: string, address: string): boolean {
  if (!address.includes(':')) return local.ipv4.has(address);
  return local.ipv6.some((one) => one.link === link && canonicalIp(one.address) === canonicalIp(address));
}
