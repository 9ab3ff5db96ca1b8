import assert from 'node:assert/strict';
import { bridgeDocument, rowsWithoutRoute } from '../../src/http/bridge.ts';
import { type Branch, branches } from '../../src/model/bridge.ts';

interface Method {
  path: string;
  method: string;
  permissions: { check?: unknown };
  parameters: Record<string, object>;
  rules?: { param: string }[];
}

describe('the table of the bridge', () => {
  const document = bridgeDocument('1.2.3') as { branches: Record<string, { methods: Method[] }> };
  const methods = Object.values(document.branches).flatMap((branch) => branch.methods);

  it('names only routes that the service has', () => {
    assert.deepEqual(rowsWithoutRoute(), []);
    assert.equal(methods.length, Object.values<Branch>(branches).flatMap(({ rows }) => rows).length);
  });

  it('wants a permission for every call', () => {
    assert.deepEqual(
      methods.filter(({ permissions }) => !permissions.check).map(({ path }) => path),
      [],
    );
  });

  // what a new field of an interface reaches is to be decided here before anybody may set it
  it('lets those who may only configure a container set nothing that reaches beyond it', () => {
    const concernsTheContainerAlone = ['node', 'vmid', 'ifname', 'network', 'defaultRoute'];
    for (const { parameters, rules = [] } of methods.filter(({ path }) => path === 'attach' || path === 'interfaces/{ifname}')) {
      const guarded = rules.map(({ param }) => param);
      assert.deepEqual(
        Object.keys(parameters).filter((name) => !guarded.includes(name) && !concernsTheContainerAlone.includes(name)),
        [],
      );
    }
  });
});
