import assert from 'node:assert/strict';
import { rowsWithoutRoute } from '../../src/http/bridge.ts';

describe('the table of the bridge', () => {
  it('names only routes that the service has', () => {
    assert.deepEqual(rowsWithoutRoute(), []);
  });
});
