import assert from 'node:assert/strict';
import { agentMetrics } from '../../../src/observe/agent-metrics.ts';

const named = (endpoint: number) => (endpoint === 7 ? { vmid: 101, name: 'we"b' } : undefined);

describe('metrics of Cilium’s agent', () => {
  const passed: [string, string][] = [
    ['cilium_a 1', 'cilium_a 1'],
    ['cilium_a{} 1', ''],
    ['cilium_a{x="1",} 2.5e-07', 'cilium_a{x="1"} 2.5e-07'],
    ['cilium_a_bucket{le="+Inf"} +Inf', 'cilium_a_bucket{le="+Inf"} +Inf'],
    ['hubble_flows_total{verdict="DROPPED"} NaN', 'hubble_flows_total{verdict="DROPPED"} NaN'],
    ['cilium_a{x="a\\"b,c"} 1', 'cilium_a{x="a\\"b,c"} 1'],
    ['cilium_a{endpoint="7"} 1', 'cilium_a{endpoint="7",vmid="101",container="we\\"b"} 1'],
    ['cilium_a{x="y",endpoint_id="7"} 1', 'cilium_a{x="y",endpoint_id="7",vmid="101",container="we\\"b"} 1'],
    ['cilium_a{endpoint="8"} 1', 'cilium_a{endpoint="8"} 1'],
    ['cilium_a{other_endpoint="7"} 1', 'cilium_a{other_endpoint="7"} 1'],
  ];
  for (const [line, expected] of passed)
    it(`makes ${JSON.stringify(expected)} of ${JSON.stringify(line)}`, () =>
      assert.equal(agentMetrics(line, named), expected && `${expected}\n`));

  for (const line of [
    'pve_cni_debts 5',
    'up 1',
    '# HELP pve_cni_debts faked',
    '# TYPE up gauge',
    'cilium_a{x="1} 1',
    'cilium_a{x=1} 1',
    'cilium_a 1 pve_cni_debts 5',
    'cilium_a one',
    'cilium_a',
    '<html>',
    '# just a comment',
  ])
    it(`lets nothing pass of ${JSON.stringify(line)}`, () => assert.equal(agentMetrics(line, named), ''));

  it('describes a family once', () => {
    const described = '# HELP cilium_a A\n# TYPE cilium_a gauge';
    assert.equal(agentMetrics(`${described}\n${described}\ncilium_a 1`, named), `${described}\ncilium_a 1\n`);
  });

  it('takes bounded time for a page made to take long, and bounded lines', () => {
    const long = `cilium_a{${'x="a",'.repeat(200_000)}`;
    const begin = performance.now();
    assert.equal(agentMetrics(long, named), '');
    assert.equal(agentMetrics(`cilium_${'a'.repeat(1_000_000)}`, named), '');
    assert.equal(agentMetrics('cilium_a 1\n'.repeat(200_000), named).split('\n').length, 50_001);
    assert.ok(performance.now() - begin < 3000, `${performance.now() - begin} ms`);
  });
});
