import assert from 'node:assert/strict';
import type { PolicyReceipt, PolicyView } from '../../src/model/policy-api.ts';
import { until } from '../support/until.ts';
import type { CiliumRig } from './rig.ts';

/** Applies a policy by name; resolves when it is in force. All policies go after each test. */
export function usePolicies(rig: CiliumRig): (name: string, spec: object) => Promise<void> {
  afterEach(async function () {
    this.timeout(60_000);
    const { body } = await rig.daemon.api('GET', '/v1/policies');
    for (const { name } of body as PolicyView[]) await rig.daemon.api('DELETE', `/v1/policies/${name}`);
    await until('the agent has no policy', async () => (await rig.node.agent.policies()).text === '[]', 20);
  });
  return async (name, spec) => {
    const text = JSON.stringify({ apiVersion: 'cilium.io/v2', kind: 'CiliumNetworkPolicy', metadata: { name }, spec });
    const { body } = await rig.daemon.api('POST', '/v1/policies', { text });
    assert.equal((body as PolicyReceipt).inForce, true, JSON.stringify(body));
  };
}
