// Crashes between two changes are a stand-in here (a store that fails from then on); crash.test.ts kills real processes.
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import fc from 'fast-check';
import { createReservations, type Reservations } from '../../../src/state/reservations.ts';
import type { Store } from '../../../src/state/store.ts';
import { useFolder } from './support.ts';

const subnets = [{ cidr: '10.20.0.0/29' }, { cidr: '10.20.1.0/30' }, { cidr: 'fd00::/125' }];
const nodes = ['a', 'b'] as const;
const vmids = [101, 102, 103, 104, 105, 106];

type Action =
  | { verb: 'reserve' | 'releaseFor' | 'keep' | 'reclaim'; vmid: number; node: number }
  | { verb: 'reserveAtOnce'; vmids: number[] }
  | { verb: 'expire' | 'reload'; node: number }
  | { verb: 'crash'; vmid: number; node: number; after: number; release: boolean };

const node = fc.nat(nodes.length - 1);
const vmid = fc.constantFrom(...vmids);
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ verb: fc.constant('reserve' as const), vmid, node }) },
  { weight: 2, arbitrary: fc.record({ verb: fc.constantFrom('releaseFor' as const, 'keep' as const, 'reclaim' as const), vmid, node }) },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant('reserveAtOnce' as const), vmids: fc.uniqueArray(vmid, { minLength: 2 }) }) },
  { weight: 1, arbitrary: fc.record({ verb: fc.constantFrom('expire' as const, 'reload' as const), node }) },
  { weight: 3, arbitrary: fc.record({ verb: fc.constant('crash' as const), vmid, node, after: fc.nat(4), release: fc.boolean() }) },
);

describe('reservations, whatever happens', () => {
  const files = useFolder();

  it('never give one address twice, and never lose one', async function () {
    this.timeout(120_000);
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 25 }), (actions) => play(files, `round${round++}`, actions)),
      { numRuns: 40 },
    );
  });
});

async function play(files: ReturnType<typeof useFolder>, folder: string, actions: readonly Action[]): Promise<void> {
  const root = files.path(folder, 'root');
  mkdirSync(root, { recursive: true, mode: 0o700 });
  let now = Date.now();
  const stores = nodes.map((name) => files.open(files.path(folder, name, 'state.db')));
  const serve = (store: Store, name: string) =>
    createReservations({ root, store, clock: () => now, writable: () => true, shared: true, node: name });
  const services = nodes.map((name, number) => serve(stores[number] as Store, name));
  const service = (number: number) => services[number] as Reservations;
  /** what was answered and not released since */
  const answered = new Map<number, string[]>();
  const kept = new Set<number>();

  const reserve = async (who: Reservations, container: number) => {
    const given = await who.reserve('web', subnets, { vmid: container, ifname: 'eth0', wanted: 'auto' }).catch((error) => {
      assert.equal(error.code, 'IPAM_POOL_EXHAUSTED');
      return null;
    });
    if (!given) return;
    const before = answered.get(container);
    if (before && !kept.has(container)) assert.deepEqual(given, before, 'the same again');
    answered.set(container, given);
  };

  for (const one of actions) {
    // a container is on one node; kept ones are destroyed, and reserve only after their restore
    if ((one.verb === 'reserve' || one.verb === 'crash') && kept.has(one.vmid)) continue;
    if (one.verb === 'reserve') await reserve(service(one.node), one.vmid);
    if (one.verb === 'reserveAtOnce')
      await Promise.all(
        one.vmids.filter((container) => !kept.has(container)).map((container) => reserve(service(container % 2), container)),
      );
    if (one.verb === 'releaseFor') {
      await service(one.node).releaseFor(one.vmid);
      answered.delete(one.vmid);
      kept.delete(one.vmid);
    }
    if (one.verb === 'keep') {
      await service(one.node).keep(one.vmid, now + 1000);
      kept.add(one.vmid);
    }
    if (one.verb === 'reclaim') {
      await service(one.node).reclaim(one.vmid);
      kept.delete(one.vmid);
    }
    if (one.verb === 'expire') {
      now += 2000;
      await service(one.node).load();
      await service(one.node).expire(now);
      for (const container of kept) answered.delete(container);
      kept.clear();
    }
    if (one.verb === 'reload') await service(one.node).load();
    if (one.verb === 'crash') {
      const store = stores[one.node] as Store;
      const dying = serve(dyingStore(store, one.after), nodes[one.node] as string);
      const work = one.release
        ? dying.releaseFor(one.vmid)
        : dying.reserve('web', subnets, { vmid: one.vmid, ifname: 'eth0', wanted: 'auto' }).then((given) => answered.set(one.vmid, given));
      await work.catch(() => {});
      await service(one.node).load();
      if (one.release) {
        await service(one.node).releaseFor(one.vmid);
        answered.delete(one.vmid);
      }
    }
    noAddressTwice(answered, root);
  }
  for (const number of [0, 1]) await service(number).load();
  noAddressTwice(answered, root);
  for (const container of vmids) await service(0).releaseFor(container);
  assert.deepEqual(names(root), [], 'nothing stays taken');
  for (const store of stores) store.close();
  rmSync(files.path(folder), { recursive: true });
}

function noAddressTwice(answered: ReadonlyMap<number, string[]>, root: string): void {
  const all = [...answered.values()].flat();
  assert.equal(new Set(all).size, all.length, 'two containers were given the same address');
  for (const [container, addresses] of answered)
    for (const address of addresses) assert.equal(JSON.parse(readFileSync(`${root}/addresses/web/${address}`, 'utf8')).vmid, container);
}

function names(root: string): string[] {
  try {
    return readdirSync(`${root}/addresses/web`).filter((name) => !name.startsWith('.'));
  } catch {
    return [];
  }
}

/** A store that stands in for a process that dies: after so many changes every further one fails, as does all that the
 *  process would still have done, since each change of a file is preceded or followed by one of a row. */
function dyingStore(store: Store, after: number): Store {
  let left = after;
  const mortal =
    <P extends unknown[], R>(work: (...parameters: P) => R) =>
    (...parameters: P): R => {
      if (left-- <= 0) throw new Error('the process is dead');
      return work(...parameters);
    };
  return { ...store, addresses: { ...store.addresses, put: mortal(store.addresses.put), remove: mortal(store.addresses.remove) } };
}
