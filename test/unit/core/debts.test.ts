import assert from 'node:assert/strict';
import fc from 'fast-check';
import { nextTryAfterMs } from '../../../src/core/debts.ts';

describe('the next try at a debt', () => {
  it('comes after 10 s, then twice as long each time, 10 minutes at most', () => {
    assert.deepEqual([1, 2, 3, 6, 7, 8].map(nextTryAfterMs), [10_000, 20_000, 40_000, 320_000, 600_000, 600_000]);
  });

  it('never comes sooner than the one before, whatever the number of tries', () => {
    fc.assert(
      fc.property(fc.nat({ max: 100_000 }), (attempts) => {
        const wait = nextTryAfterMs(attempts);
        assert.ok(wait >= 10_000 && wait <= 600_000 && wait <= nextTryAfterMs(attempts + 1));
      }),
    );
  });
});
