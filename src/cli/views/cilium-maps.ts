import type { MapKind } from '../../model/cilium-map-kinds.ts';
import type { IdentityView, MapContent, MapContentOf, MapView, PartyView, PlaceView } from '../../model/cilium-maps-api.ts';
import type { Context } from '../context.ts';
import { moment, paragraphs, table } from '../output.ts';

export const renderIdentities =
  (context: Context) =>
  (identities: IdentityView[]): string => {
    if (identities.length === 0) return 'No identities: no container has started on a network of type cilium yet.';
    const rows = identities.map(({ id, vmid, labels, nodes, unusedSince }) => [
      id,
      vmid ?? '-',
      nodes.join(' ') || '-',
      moment(unusedSince),
      labels.map(shortened).filter(Boolean).join(' '),
    ]);
    return table(context, ['IDENTITY', 'VMID', 'NODES', 'UNUSED SINCE', 'LABELS'], rows);
  };

/** Without the source, and without what all of ours have. */
function shortened(label: string): string {
  const plain = label.replace(/^k8s:/, '');
  return /^(io\.kubernetes\.pod\.namespace|io\.cilium\.k8s\.policy\.cluster|type|vmid)=/.test(plain) ? '' : plain;
}

export const renderMaps =
  (context: Context) =>
  (maps: MapView[]): string => {
    const rows = maps.map(({ kind, entries, capacity, pressure, holds }) => [
      kind,
      entries ?? '-',
      capacity ?? '-',
      pressure === null ? '-' : percent(context, pressure),
      holds,
    ]);
    const odd = maps.flatMap(({ kind, problem }) => (problem ? [`${context.colours.red('problem')} ${kind}: ${problem}`] : []));
    return paragraphs(table(context, ['MAP', 'ENTRIES', 'ROOM FOR', 'FULL', 'HOLDS'], rows), [...new Set(odd)].join('\n'));
  };

function percent({ colours }: Context, share: number): string {
  const text = share > 0 && share < 0.001 ? '<0.1 %' : `${(share * 100).toFixed(1)} %`;
  if (share >= 0.9) return colours.red(text);
  return share >= 0.75 ? colours.yellow(text) : text;
}

interface Sheet<K extends MapKind> {
  head: readonly string[];
  rows: (content: MapContentOf<K>) => (string | number)[][];
  nothing: string;
  before?: (content: MapContentOf<K>) => string;
}

const sheets: { [K in MapKind]: Sheet<K> } = {
  endpoints: {
    head: ['ADDRESS', 'CONTAINER', 'ENDPOINT', 'IDENTITY', 'ON HOST', 'MAC'],
    rows: ({ entries }) =>
      entries.map(({ address, who, endpoint, interface: link, mac }) => [
        address,
        partyOf(who),
        endpoint ?? '-',
        who.identity,
        link || '-',
        mac || '-',
      ]),
    nothing: 'No endpoints.',
  },
  ipcache: {
    head: ['ADDRESS', 'WHO', 'IDENTITY', 'BEHIND NODE', 'KEY', 'FLAGS'],
    rows: ({ entries }) =>
      entries.map(({ prefix, who, node, encryptKey, flags }) => [
        prefix,
        partyOf(who),
        who.identity,
        node || '-',
        encryptKey || '-',
        flags.join(' ') || '-',
      ]),
    nothing: 'No addresses.',
  },
  policy: {
    head: ['CONTAINER', 'ENDPOINT', 'DIRECTION', 'VERDICT', 'WITH', 'PROTOCOL', 'PORTS', 'PACKETS', 'BYTES'],
    rows: ({ entries }) =>
      entries.map(({ who, endpoint, direction, verdict, peer, protocol, ports, packets, bytes }) => [
        partyOf(who),
        endpoint,
        direction,
        verdict,
        partyOf(peer),
        protocol,
        ports,
        packets ?? '-',
        bytes ?? '-',
      ]),
    nothing: 'No entries: nothing passes that is not let pass by a connection.',
  },
  ct: {
    head: ['PROTOCOL', 'WAY', 'FROM', 'TO', 'BEGAN BY', 'EXPIRES IN', 'FLAGS'],
    rows: ({ entries }) =>
      entries.map(({ protocol, direction, from, to, began, expiresInSeconds, related, flags }) => [
        protocol,
        direction,
        placeOf(from),
        placeOf(to),
        partyOf(began),
        `${expiresInSeconds} s`,
        [...(related ? ['related'] : []), ...flags].join(' ') || '-',
      ]),
    nothing: 'No connections.',
  },
  services: {
    head: ['SERVICE', 'BACKENDS', 'FLAGS'],
    rows: ({ entries }) =>
      entries.map(({ address, port, protocol, backends, flags }) => [
        port === 0 ? `${address} (all other ports)` : `${address}:${port}/${protocol}`,
        backends.map(placeOf).join(', ') || (port === 0 ? '-' : 'none'),
        flags.join(' ') || '-',
      ]),
    nothing: 'No services.',
  },
  encryption: {
    head: ['NODE', 'ADDRESS', 'NUMBER', 'KEY'],
    rows: ({ entries }) => entries.map(({ node, address, number, spi }) => [node || '-', address, number, spi || '-']),
    nothing: 'No nodes.',
    before: ({ mode, details }) => [`Encryption: ${mode || 'unknown, the agent does not answer'}`, ...details].join('\n'),
  },
};

export const renderMap =
  (context: Context) =>
  (content: MapContent): string => {
    // the row of a kind takes the content of that kind
    const { head, rows, nothing, before } = sheets[content.kind] as Sheet<MapKind>;
    const { entries, found } = content;
    const shown = entries.length < found ? `${entries.length} of ${found}; more with --limit` : '';
    return paragraphs(before?.(content) ?? '', entries.length > 0 ? table(context, head, rows(content)) : nothing, shown);
  };

/** web1 (101), world, identity 4711 */
function partyOf({ vmid, name, identity }: PartyView): string {
  if (vmid !== null) return name === '' || name === String(vmid) ? String(vmid) : `${name} (${vmid})`;
  return name || `identity ${identity}`;
}

/** web1 (101) 10.0.0.1:80 */
function placeOf({ address, port, vmid, name }: PlaceView): string {
  const socket = `${address.includes(':') ? `[${address}]` : address}:${port}`;
  return vmid === null && name === '' ? socket : `${partyOf({ vmid, name, identity: 0 })} ${socket}`;
}
