import assert from 'node:assert/strict';
import { masqueradeRemoval } from '../../../src/cni/leftovers.ts';

const chain = 'CNI-0123456789abcdef01234567';
const other = 'CNI-ffffffffffffffffffffffff';
const comment = '-m comment --comment "name: \\"net1\\" id: \\"c0ffee\\""';
const listing = `*nat
:POSTROUTING ACCEPT [0:0]
:${chain} - [0:0]
:${other} - [0:0]
-A POSTROUTING -s 10.0.0.2/32 ${comment} -j ${chain}
-A POSTROUTING -s 10.0.0.3/32 ${comment} -j ${chain}
-A POSTROUTING -s 10.0.0.4/32 -j ${other}
-A ${chain} -d 10.0.0.0/24 ${comment} -j ACCEPT
COMMIT
`;
const removed = (address: string) => `-D POSTROUTING -s ${address}/32 ${comment} -j ${chain}`;

describe('masquerade rules that a plugin left', () => {
  it('all jumps and the chain are removed in one transaction, other chains stay', () => {
    const lines = ['*nat', removed('10.0.0.2'), removed('10.0.0.3'), `-F ${chain}`, `-X ${chain}`, 'COMMIT', ''];
    assert.equal(masqueradeRemoval(listing, chain, new Set()), lines.join('\n'));
  });

  it('the chain stays as long as another interface jumps to it', () => {
    assert.equal(masqueradeRemoval(listing, chain, new Set(['10.0.0.3'])), ['*nat', removed('10.0.0.2'), 'COMMIT', ''].join('\n'));
  });

  it('nothing is done when all jumps are another interface’s, or the chain is not there', () => {
    assert.equal(masqueradeRemoval(listing, chain, new Set(['10.0.0.2', '10.0.0.3'])), '');
    assert.equal(masqueradeRemoval(listing, 'CNI-000000000000000000000000', new Set()), '');
  });

  it('a chain without any jump, left in the middle of a removal, is removed too', () => {
    assert.equal(masqueradeRemoval(`*nat\n:${chain} - [0:0]\nCOMMIT\n`, chain, new Set()), `*nat\n-F ${chain}\n-X ${chain}\nCOMMIT\n`);
  });
});
