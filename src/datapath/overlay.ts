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
