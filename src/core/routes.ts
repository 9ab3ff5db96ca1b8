import type { CniResult } from '../model/cni.ts';

/** What an interface has to do with the default route: it must have it, must not, or has what its plugins brought. */
export type DefaultRouteWish = 'has' | 'leaves' | 'as made';

/** Lines for `ip -batch` inside the container that put the default routes where they belong after an ADD. Our own lists
 *  already say it right and give no lines; plain CNI lists may bring a default route that another interface is to have. */
export function routeLines(ifname: string, result: CniResult, wish: DefaultRouteWish): string[] {
  if (wish === 'as made') return [];
  const present = new Set(result.routes.filter(({ dst }) => dst === ipv4Default || dst === ipv6Default).map(({ dst }) => dst));
  if (wish === 'leaves') return [...present].map((dst) => `route del ${dst} dev ${ifname}`);
  return result.ips.flatMap(({ gateway }) => {
    const dst = gateway?.includes(':') ? ipv6Default : ipv4Default;
    return gateway && !present.has(dst) ? [`route replace ${dst} via ${gateway} dev ${ifname}`] : [];
  });
}

// `ip -batch` takes no family of its own in a line: the prefix says it
const ipv4Default = '0.0.0.0/0';
const ipv6Default = '::/0';

/** What an interface says of the default route; the first has it when nobody says anything. */
interface RouteClaim {
  name: string;
  defaultRoute?: boolean | undefined;
}

/** What to do about one interface's default route, among the interfaces of its container. Only what somebody wrote down,
 *  or a second claim to it, changes what the plugins made. */
export function defaultRouteWish(interfaces: readonly RouteClaim[], wanted: RouteClaim): DefaultRouteWish {
  if (wanted.defaultRoute) return 'has';
  return defaultRouteInterface(interfaces) === wanted.name ? 'as made' : 'leaves';
}

/** Name of the interface that has the default route: the one that says so, else the first. */
export function defaultRouteInterface(interfaces: readonly RouteClaim[]): string | undefined {
  return (interfaces.find((one) => one.defaultRoute) ?? interfaces.find((one) => one.defaultRoute !== false))?.name;
}

/** Names of the interfaces, among those that stay, that the default route is to come to or to leave. */
export function otherRoutes(before: readonly RouteClaim[], after: readonly RouteClaim[]): string[] {
  const claim = (interfaces: readonly RouteClaim[], { name }: RouteClaim) => {
    const own = interfaces.find((one) => one.name === name);
    return own && `${defaultRouteInterface(interfaces) === name} ${defaultRouteWish(interfaces, own)}`;
  };
  return after.filter((one) => claim(before, one) !== undefined && claim(before, one) !== claim(after, one)).map(({ name }) => name);
}
