import { readFile } from 'node:fs/promises';

/** Links that this node's default routes lead to, of both families. Source: proc_pid_net(5), /proc/net/route and /proc/net/ipv6_route. */
export async function defaultRouteLinks(): Promise<string[]> {
  const [ipv4, ipv6] = await Promise.all(['route', 'ipv6_route'].map((file) => readFile(`/proc/self/net/${file}`, 'utf8').catch(() => '')));
  const fields = (text = '') => text.split('\n').map((line) => line.trim().split(/\s+/));
  return [
    ...new Set([
      ...fields(ipv4).flatMap(([link, destination, , , , , , mask]) => (link && destination === none && mask === none ? [link] : [])),
      ...fields(ipv6).flatMap((line) => (line[0] === none.repeat(4) && line[1] === '00' && line[9] && line[9] !== 'lo' ? [line[9]] : [])),
    ]),
  ];
}

const none = '00000000';
