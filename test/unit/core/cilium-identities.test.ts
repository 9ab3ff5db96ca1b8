import assert from 'node:assert/strict';
import fc from 'fast-check';
import { dueIdentities, type Identity, identitiesOf, nodeNamesOf, stillUnused } from '../../../src/core/cilium-identities.ts';

const prefix = 'cilium/state/identities/v1';
const web = 'k8s:app=web;k8s:type=container;k8s:vmid=101;';
const id = (number: number | string, labels = web, modRevision = '7') => ({ key: `${prefix}/id/${number}`, value: labels, modRevision });
const user = (node: string, number: number, labels = web) => ({
  key: `${prefix}/value/${labels}/${node}`,
  value: String(number),
  modRevision: '8',
});

describe('identities in etcd', () => {
  it('have labels, a container, and the nodes that use them', () => {
    const [one] = identitiesOf(
      [id(4711)],
      [user('10.99.0.11', 4711), user('10.99.0.12', 4711), user('10.99.0.12', 4712, `${web}k8s:x=y;`)],
    );
    assert.deepEqual(one?.labels, ['k8s:app=web', 'k8s:type=container', 'k8s:vmid=101']);
    assert.deepEqual([one?.id, one?.vmid, one?.nodes, one?.superseded], [4711, 101, ['10.99.0.11', '10.99.0.12'], false]);
  });

  it('are found by labels whose keys have a slash, and by nodes of IPv6', () => {
    const labels = 'k8s:app.kubernetes.io/name=x;k8s:tag/db=true;';
    const [one] = identitiesOf([id(300, labels)], [user('fd00::11', 300, labels)]);
    assert.deepEqual(one?.nodes, ['fd00::11']);
  });

  it('of which one has the labels of another and no users are superseded', () => {
    const [first, second] = identitiesOf([id(4711), id(4712)], [user('10.99.0.11', 4712)]);
    assert.deepEqual([first?.nodes, first?.superseded], [[], true]);
    assert.deepEqual([second?.nodes, second?.superseded], [['10.99.0.11'], false]);
  });

  it('that are none are left out', () => {
    assert.deepEqual(
      identitiesOf([id('x'), id('-1'), id('0300'), id(9, ''), { key: 'other/id/300', value: web, modRevision: '1' }], []),
      [],
    );
  });

  it('name their nodes as the agents did', () => {
    const node = (value: string) => ({ key: 'cilium/state/nodes/v1/default/x', value, modRevision: '1' });
    const names = nodeNamesOf([
      node('{"Name":"node1","IPAddresses":[{"Type":"InternalIP","IP":"10.99.0.11"},{"Type":"CiliumInternalIP","IP":"10.201.1.5"}]}'),
      node('{"Name":7}'),
      node('no JSON'),
    ]);
    assert.deepEqual(
      [...names],
      [
        ['10.99.0.11', 'node1'],
        ['10.201.1.5', 'node1'],
      ],
    );
  });
});

describe('an identity that nobody uses', () => {
  const minute = 60_000;
  const grace = 15 * minute;
  const nobody = new Set<number>();
  /** what goes after looks at these times */
  const goes = (looks: [at: number, found: Identity[], kept?: ReadonlySet<number>][], atMost = 100) => {
    let unused: ReturnType<typeof stillUnused> = new Map();
    let due: number[] = [];
    for (const [at, found, kept = nobody] of looks) {
      unused = stillUnused(unused, found, kept, at * minute);
      due = dueIdentities(unused, found, { now: at * minute, graceMs: grace, atMost }).map((one) => one.id);
    }
    return due;
  };
  const free = identitiesOf([id(4711)], []);
  const used = identitiesOf([id(4711)], [user('10.99.0.11', 4711)]);

  it('goes after two looks as far apart as the grace time, not before', () => {
    assert.deepEqual(goes([[0, free]]), []);
    assert.deepEqual(
      goes([
        [0, free],
        [14.9, free],
      ]),
      [],
    );
    assert.deepEqual(
      goes([
        [0, free],
        [15, free],
      ]),
      [4711],
    );
  });

  it('stays when somebody used it in between', () => {
    assert.deepEqual(
      goes([
        [0, free],
        [10, used],
        [16, free],
      ]),
      [],
    );
    assert.deepEqual(
      goes([
        [0, free],
        [10, used],
        [16, free],
        [31, free],
      ]),
      [4711],
    );
  });

  it('stays when it was made anew in between', () => {
    const anew = identitiesOf([id(4711, web, '99')], []);
    assert.deepEqual(
      goes([
        [0, free],
        [16, anew],
      ]),
      [],
    );
  });

  it('stays while an endpoint of this node has it', () => {
    assert.deepEqual(
      goes([
        [0, free],
        [16, free, new Set([4711])],
        [20, free],
      ]),
      [],
    );
  });

  it('never goes when it is a reserved one or another cluster’s', () => {
    const others = identitiesOf([id(1), id(255), id(65_536), id(256), id(65_535)], []);
    assert.deepEqual(
      goes([
        [0, others],
        [16, others],
      ]),
      [256, 65_535],
    );
  });

  it('goes with others at most so many at a time, the longest unused first', () => {
    const many = identitiesOf([id(500), id(501), id(502)], []);
    const later = identitiesOf([id(400), id(500), id(501), id(502)], []);
    assert.deepEqual(
      goes(
        [
          [0, many],
          [1, later],
          [20, later],
        ],
        3,
      ),
      [500, 501, 502],
    );
  });

  it('is never one that a node uses, whatever happens', () => {
    const look = fc.tuple(fc.nat(30), fc.uniqueArray(fc.integer({ min: 250, max: 262 })), fc.array(fc.integer({ min: 250, max: 262 })));
    fc.assert(
      fc.property(fc.array(look), (steps) => {
        let [unused, now]: [ReturnType<typeof stillUnused>, number] = [new Map(), 0];
        for (const [minutes, ids, users] of steps) {
          now += minutes * minute;
          const labels = (number: number) => `k8s:n=${number};`;
          const found = identitiesOf(
            ids.map((one) => id(one, labels(one))),
            users.map((one) => user('n', one, labels(one))),
          );
          unused = stillUnused(unused, found, nobody, now);
          for (const one of dueIdentities(unused, found, { now, graceMs: grace, atMost: 100 })) {
            assert.ok(one.id >= 256 && !users.includes(one.id));
            assert.ok(now - (unused.get(one.id)?.since ?? now) >= grace);
          }
        }
      }),
    );
  });
});
