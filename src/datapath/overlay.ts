import { z } from 'zod';
import type { Host } from '../host/host.ts';
import { failure } from '../model/errors.ts';

/** Subnets of a network that Cilium's agent carries with addresses of ours: the node itself must know the way to them, as it does to
 *  the agent's own range. */
export interface OverlaySpec {
  network: string;
  /** CIDRs */
  subnets: readonly string[];
  /** masquerade what leaves them for the world */
  masquerade: boolean;
}

/** By what our routes are known from the agent's and others': rtnetlink's `protocol`, a number that nobody registered. */
const protocol = '113';
const device = 'cilium_host';

const routeList = z.array(z.looseObject({ dst: z.string() }));

/** CIDRs that have a route of ours. */
export async function overlayRoutes(host: Host): Promise<string[]> {
  if (!(await host.readLink(device))) return [];
  const lists = await Promise.all(
    ['-4', '-6'].map((family) => host.run(['ip', family, '-json', 'route', 'show', 'dev', device, 'protocol', protocol])),
  );
  return lists.flatMap((text) => routeList.parse(text.trim() === '' ? [] : JSON.parse(text)).map(({ dst }) => dst));
}

/** What differs, in words; null for nothing. @throws CNIError CILIUM_UNAVAILABLE */
export async function inspectOverlay(host: Host, { network, subnets }: OverlaySpec): Promise<string | null> {
  if (!(await host.readLink(device)))
    throw failure(
      'CILIUM_UNAVAILABLE',
      `network "${network}" cannot be used on this node: Cilium's agent has not made ${device} yet; see pve-cni cilium status`,
      { network },
    );
  const present = await overlayRoutes(host);
  const missing = subnets.filter((cidr) => !present.includes(cidr));
  return missing.length > 0 ? `there is no route to ${missing.join(', ')}` : null;
}

/** Makes the routes; nothing when they are there. Returns whether anything was changed. @throws CNIError CILIUM_UNAVAILABLE */
export async function applyOverlay(host: Host, spec: OverlaySpec): Promise<boolean> {
  if ((await inspectOverlay(host, spec)) === null) return false;
  const [link] = await host.ip.addresses('', device);
  const own = (family: 4 | 6) =>
    link?.addr_info.find(({ local = '', scope }) => scope !== 'host' && local.includes(':') === (family === 6) && !local.startsWith('fe80'))
      ?.local;
  const lines = spec.subnets.flatMap((cidr) => {
    const router = own(cidr.includes(':') ? 6 : 4);
    if (!router) return [];
    const way = cidr.includes(':') ? '' : ` via ${router}`;
    return [`route replace ${cidr}${way} dev ${device} src ${router} proto ${protocol}`];
  });
  await host.ip.batch(lines);
  return lines.length > 0;
}

export async function removeOverlayRoute(host: Host, cidr: string): Promise<void> {
  await host.ip.batch([`route del ${cidr} dev ${device} proto ${protocol}`]);
}

/** Where nodes route, without a tunnel: an address of ours that is on another node. */
export interface RemoteAddress {
  address: string;
  /** address of that node */
  node: string;
}

const remoteList = z.array(z.looseObject({ dst: z.string(), gateway: z.string().optional(), dev: z.string().optional() }));

/** Makes the routes to other nodes' addresses what they should be; each is of one address, since addresses move. */
export async function applyRemoteRoutes(host: Host, wanted: readonly RemoteAddress[]): Promise<void> {
  const lists = await Promise.all(['-4', '-6'].map((family) => host.run(['ip', family, '-json', 'route', 'show', 'protocol', protocol])));
  const present = lists
    .flatMap((text) => remoteList.parse(text.trim() === '' ? [] : JSON.parse(text)))
    .filter(({ gateway, dev }) => gateway !== undefined && dev !== device);
  const isWanted = (dst: string, gateway: string | undefined) => wanted.some(({ address, node }) => address === dst && node === gateway);
  await host.ip.batch([
    ...present
      .filter(({ dst, gateway }) => !isWanted(dst, gateway))
      .map(({ dst, gateway }) => `route del ${dst} via ${gateway} proto ${protocol}`),
    ...wanted
      .filter(({ address, node }) => !present.some(({ dst, gateway }) => dst === address && gateway === node))
      .map(({ address, node }) => `route replace ${address} via ${node} proto ${protocol}`),
  ]);
}
