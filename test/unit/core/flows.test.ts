import assert from 'node:assert/strict';
import { matches } from '../../../src/core/flows.ts';
import type { FlowFilter } from '../../../src/model/flow.ts';
import { end, flow } from '../flow-fixture.ts';

describe('a filter of flows', () => {
  const cases: [string, FlowFilter, boolean][] = [
    ['nothing asked', {}, true],
    ['the sender’s number', { container: '101' }, true],
    ['the receiver’s number', { container: '102' }, true],
    ['another number', { container: '103' }, false],
    ['a name', { container: 'db' }, true],
    ['the beginning of a name', { container: 'd' }, false],
    ['its verdict among several', { verdict: ['dropped', 'forwarded'] }, true],
    ['another verdict', { verdict: ['dropped'] }, false],
    ['the receiver’s port', { port: 5432 }, true],
    ['the sender’s port', { port: 40_000 }, true],
    ['another port', { port: 543 }, false],
    ['its protocol', { protocol: 'tcp' }, true],
    ['another protocol', { protocol: 'udp' }, false],
    ['another direction', { direction: 'ingress' }, false],
    ['since its own moment', { since: 1_000_000 }, true],
    ['since a later moment', { since: 1_000_001 }, false],
    ['all of it', { container: 'web', verdict: ['forwarded'], port: 5432, protocol: 'tcp', direction: 'egress', since: 1 }, true],
    ['all but one', { container: 'web', verdict: ['forwarded'], port: 5432, protocol: 'tcp', direction: 'egress', since: 1e9 }, false],
  ];
  for (const [name, filter, expected] of cases)
    it(`${expected ? 'lets through' : 'keeps back'}: ${name}`, () => assert.equal(matches(filter, flow()), expected));

  it('takes digits for a number, never for the name of another container', () => {
    const named = flow({ from: end({ vmid: 200, name: '101' }), to: end({ vmid: 201, name: 'x' }) });
    assert.equal(matches({ container: '101' }, named), false);
  });

  it('finds no container in the name of something else', () => {
    assert.equal(matches({ container: 'example.com' }, flow({ to: end({ kind: 'world', vmid: null, name: 'example.com' }) })), false);
  });
});
