import assert from 'node:assert/strict';
import { rowsWithoutRoute } from '../../src/http/bridge.ts';

/** routes that the table names before the service has them */
const awaited = [
  'get /v1/interfaces',
  'get /v1/topology',
  'get /v1/history',
  'get /v1/containers/:vmid/interfaces',
  'put /v1/containers/:vmid/interfaces/:ifname',
  'get /v1/containers/:vmid/history',
  'get /v1/policies/explain',
  'post /v1/policies/diff',
  'put /v1/networks/:name',
  'delete /v1/networks/:name',
  'put /v1/services/:name',
  'delete /v1/services/:name',
  'get /v1/settings',
  'put /v1/settings',
];

describe('the table of the bridge', () => {
  it('names only routes that the service has', () => {
    assert.deepEqual(
      rowsWithoutRoute().filter((service) => !awaited.includes(service)),
      [],
    );
  });
});
