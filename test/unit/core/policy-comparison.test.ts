import assert from 'node:assert/strict';
import { parsePolicy } from '../../../src/config/policies.ts';
import { emptyPolicy } from '../../../src/core/agent-policy.ts';
import { compare } from '../../../src/core/policy-comparison.ts';
import { expectedEntries } from '../../../src/core/policy-entries.ts';
import { defaultDeny } from '../../support/policies.ts';

/** What the agent 1.20.2 printed of the example of the design. */
const held = (file = 'default-deny.yaml', cluster = 'default') => ({
  Tier: 200,
  Priority: 0,
  Authentication: null,
  Log: {},
  Subject: { matchLabels: { 'any:type': 'container', 'k8s:io.kubernetes.pod.namespace': 'default' } },
  L3: [
    {
      matchLabels: {
        'any:type': 'container',
        'k8s:io.cilium.k8s.policy.cluster': cluster,
        'k8s:io.kubernetes.pod.namespace': 'default',
      },
    },
  ],
  L4: [],
  Labels: [
    { key: 'filename', value: file, source: 'directory' },
    { key: 'policy-derived-from', value: 'CiliumNetworkPolicy', source: 'directory' },
  ],
  DefaultDeny: true,
  Verdict: 0,
  Ingress: true,
  Node: false,
});
const policies = [parsePolicy(defaultDeny, 'policies/default-deny.yaml')];
const looked = (...entries: object[]) => compare(policies, { revision: 5, text: JSON.stringify(entries) }, 'default');

describe('what the agent has, beside what it should have', () => {
  it('exactly that', () => {
    const { differences, exact, revision } = looked(held());
    assert.deepEqual([differences, [...exact], revision], [[], ['default-deny'], 5]);
  });

  it('nothing of it, or something else', () => {
    assert.deepEqual(looked().differences, ['the agent has nothing of policy default-deny']);
    const { differences, stale } = looked({ ...held(), DefaultDeny: false });
    assert.deepEqual([differences, stale], [['the agent has something else of policy default-deny'], ['default-deny.yaml']]);
    assert.deepEqual(looked(held(), held()).differences, ['the agent has something else of policy default-deny']);
    assert.deepEqual(looked(held('default-deny.yaml', 'other')).differences, ['the agent has something else of policy default-deny']);
  });

  it('more than that: a file of nobody’s, rules of no file', () => {
    assert.deepEqual(looked(held(), held('foreign.yaml')).differences, [
      'the agent has the policy file foreign.yaml, which is none of ours',
    ]);
    assert.deepEqual(looked(held(), { ...held(), Labels: [] }).differences, ['the agent has rules of no file, which is none of ours']);
  });

  it('one that is on its way out is no difference: it selects nobody', () => {
    const gone = emptyPolicy('gone');
    assert.equal(expectedEntries(gone, 'default').length, 1);
    const entry = {
      ...held('gone.yaml'),
      Subject: { matchLabels: { 'any:pve-cni/nobody': 'gone', 'k8s:io.kubernetes.pod.namespace': 'default' } },
      L3: [],
    };
    assert.deepEqual(looked(held(), entry).differences, []);
  });

  it('an answer that is none is nothing', () => {
    for (const text of ['', '{}', '[1, null]', 'rubbish', '[{"Labels": 7}]'])
      assert.match(compare(policies, { revision: 1, text }, 'default').differences[0] ?? '', /nothing of policy default-deny/);
  });
});
