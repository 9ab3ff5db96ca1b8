import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type DefaultRouteWish, defaultRouteInterface, defaultRouteWish, routeLines } from '../../../src/core/routes.ts';
import type { CniResult } from '../../../src/model/cni.ts';

const result = (ips: CniResult['ips'], dsts: string[] = []): CniResult => ({
  cniVersion: '1.0.0',
  interfaces: [],
  ips,
  routes: dsts.map((dst) => ({ dst })),
  dns: {},
});
const four = { address: '10.20.0.10/24', gateway: '10.20.0.1' };
const six = { address: 'fd00:20::9/64', gateway: 'fd00:20::1' };

describe('routes after an ADD', () => {
  const cases: [string, CniResult, DefaultRouteWish, string[]][] = [
    ['wanted and there: nothing is to be done', result([four], ['0.0.0.0/0']), 'has', []],
    ['wanted and missing: through the gateway', result([four]), 'has', ['route replace 0.0.0.0/0 via 10.20.0.1 dev eth0']],
    ['wanted, there for one family only', result([four, six], ['0.0.0.0/0']), 'has', ['route replace ::/0 via fd00:20::1 dev eth0']],
    ['wanted without a gateway: there is no way', result([{ address: '10.20.0.10/24' }]), 'has', []],
    [
      'another has it: removed',
      result([four], ['0.0.0.0/0', '::/0']),
      'leaves',
      ['route del 0.0.0.0/0 dev eth0', 'route del ::/0 dev eth0'],
    ],
    ['another has it: other routes stay', result([four], ['10.99.0.0/16']), 'leaves', []],
    ['nobody wrote anything down: what the plugins made stays', result([four]), 'as made', []],
  ];
  for (const [what, given, wish, lines] of cases) it(what, () => assert.deepEqual(routeLines('eth0', given, wish), lines));

  it('an interface is told to leave only what another one has', () => {
    const interfaces = [{ name: 'eth0' }, { name: 'eth1' }];
    assert.deepEqual(
      interfaces.map((one) => defaultRouteWish(interfaces, one)),
      ['as made', 'leaves'],
    );
    const written = [{ name: 'eth0' }, { name: 'eth1', defaultRoute: true }];
    assert.deepEqual(
      written.map((one) => defaultRouteWish(written, one)),
      ['leaves', 'has'],
    );
  });
});

describe('the interface with the default route', () => {
  const interfaces = fc.uniqueArray(
    fc.record({ name: fc.constantFrom('eth0', 'eth1', 'eth2'), defaultRoute: fc.constantFrom(true, false, undefined) }),
    { selector: ({ name }) => name },
  );

  it('is one that says so, else the first that does not refuse it, else none', () => {
    fc.assert(
      fc.property(interfaces, (list) => {
        const name = defaultRouteInterface(list);
        const chosen = list.find((one) => one.name === name);
        if (list.some((one) => one.defaultRoute)) assert.equal(chosen?.defaultRoute, true);
        else
          assert.equal(
            chosen,
            list.find((one) => one.defaultRoute === undefined),
          );
      }),
    );
  });
});
