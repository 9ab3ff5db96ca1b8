import assert from 'node:assert/strict';
import { xfrmPeers } from '../../../src/core/xfrm.ts';

/** `ip -statistics xfrm state list nokeys` of a node with Cilium 1.20.2 and IPsec (iproute2 6.1, shortened). */
const said = `src 10.99.0.12 dst 10.99.0.11
	proto esp spi 0x00000003(3) reqid 1(0x00000001) mode tunnel
	replay-window 0 seq 0x00000000 flag esn (0x10000000)
	mark 0xb0610d00/0xffff0f00 output-mark 0xd00/0xffffff00
	aead rfc4106(gcm(aes)) <<Keys hidden>> 128
	anti-replay esn context:
	 seq-hi 0x0, seq 0x6, oseq-hi 0x0, oseq 0x0
	sel src 0.0.0.0/0 dst 0.0.0.0/0 uid 0
	lifetime config:
	lifetime current:
	  852(bytes), 6(packets)
	  add 2026-11-24 21:58:05 use 2026-11-24 21:59:46
	stats:
	  replay-window 0 replay 0 failed 0
src 10.99.0.11 dst 10.99.0.12
	proto esp spi 0x00000003(3) reqid 1(0x00000001) mode tunnel
	replay-window 0 seq 0x00000000 flag esn (0x10000000)
	mark 0xb0613e00/0xffffff00 output-mark 0xe00/0xffffff00
	aead rfc4106(gcm(aes)) <<Keys hidden>> 128
	anti-replay esn context:
	 seq-hi 0x0, seq 0x0, oseq-hi 0x0, oseq 0x6
	sel src 0.0.0.0/0 dst 0.0.0.0/0 uid 0
	lifetime config:
	lifetime current:
	  852(bytes), 6(packets)
	  add 2026-11-24 21:58:05 use 2026-11-24 21:59:46
	stats:
	  replay-window 0 replay 0 failed 0
src 10.201.2.137 dst 10.201.1.199
	proto esp spi 0x00000003(3) reqid 1(0x00000001) mode tunnel
	replay-window 0 seq 0x00000000 flag esn (0x10000000)
	mark 0xb0610d00/0xffff0f00 output-mark 0xd00/0xffffff00
	aead rfc4106(gcm(aes)) <<Keys hidden>> 128
	anti-replay esn context:
	 seq-hi 0x0, seq 0x0, oseq-hi 0x0, oseq 0x0
	sel src 0.0.0.0/0 dst 0.0.0.0/0 uid 0
	lifetime config:
	lifetime current:
	  0(bytes), 0(packets)
	  add 2026-11-24 21:58:05 use -
	stats:
	  replay-window 0 replay 0 failed 0
`;

describe('IPsec’s states', () => {
  it('say what each other node was sent and what came from it, by which key', () => {
    const text = said.replace('852(bytes), 6(packets)', '900(bytes), 7(packets)');
    assert.deepEqual(xfrmPeers(text, '10.99.0.11'), [{ address: '10.99.0.12', keys: [3], sentBytes: 852, receivedBytes: 900 }]);
    assert.deepEqual(xfrmPeers(text, '10.99.0.12'), [{ address: '10.99.0.11', keys: [3], sentBytes: 900, receivedBytes: 852 }]);
  });

  it('show both keys while one is changed for the other', () => {
    const both = said + said.replaceAll('0x00000003(3)', '0x00000004(4)');
    assert.deepEqual(xfrmPeers(both, '10.99.0.11')[0]?.keys, [3, 4]);
  });

  it('of others, and none at all, are no peers', () => {
    assert.deepEqual(xfrmPeers(said, '192.0.2.1'), []);
    assert.deepEqual(xfrmPeers('', '10.99.0.11'), []);
  });
});
