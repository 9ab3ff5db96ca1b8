import assert from 'node:assert/strict';
import { createLab, type Lab, needsCilium } from './lab.ts';

describe('Cilium’s agent with the configuration that we write', () => {
  let lab: Lab;
  before(async function () {
    needsCilium(this);
    lab = await createLab();
  });
  after(() => lab?.destroy());

  it('runs without Kubernetes, with etcd', async () => {
    const health = await lab.first.agent.health();
    assert.equal(health.cilium.state, 'Ok');
    assert.equal(health.kvstore.state, 'Ok');
  });
});
