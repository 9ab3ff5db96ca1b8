import assert from 'node:assert/strict';
import { readAllLinkCounters, readLinkCounters } from '../../../src/host/link-counters.ts';

describe('link counters', () => {
  it('reads the counters of a real link', async () => {
    const counters = await readLinkCounters('lo');
    assert.ok(counters);
    for (const value of Object.values(counters)) assert.ok(Number.isInteger(value) && value >= 0);
    assert.equal(counters.receivedBytes, counters.transmittedBytes, 'loopback receives what it sends');
  });

  it('answers null for a link that does not exist', async () => assert.equal(await readLinkCounters('no-such-link'), null));

  it('never leaves /sys/class/net, whatever a plugin called its interface', async () => {
    for (const name of ['', '.', '..', '../../x', 'lo/../lo', 'a b', 'a\0b', 'x'.repeat(16)])
      assert.equal(await readLinkCounters(name), null);
  });

  it('reads all links at once, with the same counters as each has', async () => {
    const all = readAllLinkCounters();
    const [before, lo, after] = [await readLinkCounters('lo'), readAllLinkCounters().get('lo'), await readLinkCounters('lo')];
    assert.ok(before && lo && after);
    assert.equal(all.get('no-such-link'), undefined);
    for (const name of Object.keys(lo) as (keyof typeof lo)[]) assert.ok(before[name] <= lo[name] && lo[name] <= after[name], name);
  });
});
