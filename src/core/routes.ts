import type { CniResult } from '../model/cni.ts';

/** Lines for `ip -batch` inside the container that put the default routes where they belong after an ADD. Our own lists
 *  already say it right and give no lines; plain CNI lists may bring a default route that another interface is to have. */
export function routeLines(ifname: string, result: CniResult, wantsDefault: boolean): string[] {
  const defaults = result.routes.filter(({ dst }) => dst === '0.0.0.0/0' || dst === '::/0');
  if (!wantsDefault) return defaults.map((route) => `${family(route.dst)} route del default dev ${ifname}`);
  const present = new Set(defaults.map((route) => family(route.dst)));
  return result.ips.flatMap(({ address, gateway }) =>
    gateway && !present.has(family(address)) ? [`${family(address)} route replace default via ${gateway} dev ${ifname}`] : [],
  );
}

function family(address: string): '-4' | '-6' {
  return address.includes(':') ? '-6' : '-4';
}

/** Name of the interface that has the default route: the one that says so, else the first. */
export function defaultRouteInterface(interfaces: readonly { name: string; defaultRoute?: boolean | undefined }[]): string | undefined {
  return (interfaces.find((one) => one.defaultRoute) ?? interfaces.find((one) => one.defaultRoute !== false))?.name;
}
