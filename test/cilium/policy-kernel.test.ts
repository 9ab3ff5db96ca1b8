import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { ContainerPolicyView, PolicyReceipt, PolicyView } from '../../src/model/policy-api.ts';
import type { Container } from '../support/lxc.ts';
import { policyBetween } from '../support/policies.ts';
import { useCilium } from './rig.ts';

/** how many random sets of policies the kernel is asked about */
const sets = Number(process.env.PVE_CNI_POLICY_SETS ?? 25);
const seed = Number(process.env.PVE_CNI_POLICY_SEED ?? 20_261_124);

describe('the kernel’s policy maps', () => {
  const rig = useCilium();
  const roles = ['web', 'db', 'none'];

  it(`decide as the policies say, for ${sets} random sets of policies (seed ${seed})`, async function () {
    this.timeout(600_000);
    const containers: Container[] = [];
    for (const app of roles) {
      const container = await rig.container({ file: { labels: { app } } });
      await container.start();
      containers.push(container);
    }
    const apply = async (object: object) => {
      const { status, body } = await rig.daemon.api('POST', '/v1/policies', { text: JSON.stringify(object) });
      assert.equal(status, 200, JSON.stringify(body));
      assert.equal((body as PolicyReceipt).inForce, true, `${(body as PolicyReceipt).message} ${JSON.stringify(object)}`);
    };
    const some = fc.array(policyBetween(roles), { minLength: 1, maxLength: 3 });
    for (const set of fc.sample(some, { numRuns: sets, seed })) {
      const named = set.map((object, index) => ({ ...object, metadata: { name: `p${index}` } }));
      for (const object of named) await apply(object);
      for (const { vmid } of containers) {
        const { body } = await rig.daemon.api('GET', `/v1/containers/${vmid}/policy`);
        const [view] = (body as ContainerPolicyView).interfaces;
        assert.deepEqual(view?.differences, [], `${view?.labels[0]} ${JSON.stringify(named)} ${JSON.stringify(view?.entries)}`);
      }
      const { body } = await rig.daemon.api('GET', '/v1/policies');
      for (const { name } of (body as PolicyView[]).slice(named.length)) await rig.daemon.api('DELETE', `/v1/policies/${name}`);
    }
    const { body } = await rig.daemon.api('GET', '/v1/policies');
    for (const { name } of body as PolicyView[]) await rig.daemon.api('DELETE', `/v1/policies/${name}`);
  });
});
