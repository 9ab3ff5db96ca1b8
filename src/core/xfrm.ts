/** IPsec's states, as `ip -s xfrm state list nokeys` says them: what each peer was sent and what came from it, and by which key. */

export interface XfrmPeer {
  /** the other node */
  address: string;
  /** numbers of the keys that states are there for, the newest agent's choice among them */
  keys: number[];
  sentBytes: number;
  receivedBytes: number;
}

interface State {
  source: string;
  target: string;
  /** what Cilium uses as the number of the key */
  spi: number;
  bytes: number;
}

export function xfrmPeers(text: string, own: string): XfrmPeer[] {
  const peers = new Map<string, XfrmPeer>();
  for (const { source, target, spi, bytes } of statesIn(text)) {
    const address = source === own ? target : target === own ? source : null;
    // 0.0.0.0 is Cilium's catch-all
    if (address === null || address === '0.0.0.0' || address === own) continue;
    const peer = peers.get(address) ?? { address, keys: [], sentBytes: 0, receivedBytes: 0 };
    if (!peer.keys.includes(spi)) peer.keys = [...peer.keys, spi].sort((one, other) => one - other);
    if (source === own) peer.sentBytes += bytes;
    else peer.receivedBytes += bytes;
    peers.set(address, peer);
  }
  return [...peers.values()];
}

function statesIn(text: string): State[] {
  return text.split(/^(?=src )/m).flatMap((part) => {
    const [, source, target] = /^src (\S+) dst (\S+)/.exec(part) ?? [];
    const [, spi] = /\bproto esp spi 0x([0-9a-f]+)/.exec(part) ?? [];
    const [, bytes = '0'] = /lifetime current:\s+(\d+)\(bytes\)/.exec(part) ?? [];
    return source && target && spi ? [{ source, target, spi: Number.parseInt(spi, 16), bytes: Number(bytes) }] : [];
  });
}
