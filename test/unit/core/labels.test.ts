import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ciliumLabels, type IdentityFacts, identityOf, vmidOf } from '../../../src/core/labels.ts';

const facts: IdentityFacts = {
  vmid: 101,
  name: 'web1.example.com',
  node: 'pve1',
  pool: 'prod',
  network: 'pods',
  tags: ['web', 'db'],
  identityTags: ['web'],
  labels: { app: 'shop' },
};
const identity = (changes: Partial<IdentityFacts> = {}) => identityOf({ ...facts, ...changes });

describe('the identity of a container', () => {
  it('is what it is, where it is, its registered tags and the labels of its file', () => {
    assert.deepEqual(identity(), {
      app: 'shop',
      'tag/web': 'true',
      type: 'container',
      vmid: '101',
      name: 'web1.example.com',
      node: 'pve1',
      network: 'pods',
      pool: 'prod',
    });
  });

  it('A23 is never changed by a tag that nobody registered, nor by a label that says what it is', () => {
    assert.deepEqual(identity({ tags: ['web', 'db', 'role:db'] }), identity({ tags: ['web'] }));
    const { vmid, type, pool, 'tag/web': tag } = identity({ labels: { vmid: '102', type: 'vm', pool: 'other', 'tag/web': 'no' } });
    assert.deepEqual([vmid, type, pool, tag], ['101', 'container', 'prod', 'true']);
  });

  it('names a nested pool unlike any other pool', () => {
    assert.equal(identity({ pool: 'prod/web' }).pool, 'prod__web');
    assert.equal(identity({ pool: 'prod-web' }).pool, 'prod-web');
    assert.equal(identity({ pool: 'prod__web' }).pool, undefined);
    const level = fc.stringMatching(/^[A-Za-z0-9._-]{1,4}$/);
    const pool = fc.array(level, { minLength: 1, maxLength: 3 }).map((levels) => levels.join('/'));
    fc.assert(
      fc.property(pool, pool, (one, other) => {
        const [first, second] = [identity({ pool: one }).pool, identity({ pool: other }).pool];
        assert.ok(one === other || first === undefined || first !== second, `${one} and ${other} are both ${first}`);
      }),
      { numRuns: 2000 },
    );
  });

  it('has values that Kubernetes and Cilium take, whatever the names are', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (name, pool) => {
        for (const value of Object.values(identity({ name, pool })))
          assert.match(value, /^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/);
      }),
    );
  });

  it('is found again in the labels of an endpoint', () => {
    const labels = ciliumLabels(identity(), 'default');
    assert.deepEqual(labels, labels.toSorted());
    assert.equal(vmidOf(labels), 101);
    assert.equal(vmidOf(labels.filter((label) => label !== 'k8s:type=container')), null);
    assert.equal(vmidOf(['k8s:type=container', 'k8s:vmid=1e3']), null);
  });
});
