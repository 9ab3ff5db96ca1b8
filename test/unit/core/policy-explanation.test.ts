import assert from 'node:assert/strict';
import { parsePolicy } from '../../../src/config/policies.ts';
import { renderYaml } from '../../../src/config/yaml.ts';
import { type End, explain } from '../../../src/core/policy-explanation.ts';
import type { Policy } from '../../../src/model/policy.ts';
import { defaultDeny } from '../../support/policies.ts';

const policy = (name: string, spec: object): Policy =>
  parsePolicy(renderYaml({ apiVersion: 'cilium.io/v2', kind: 'CiliumNetworkPolicy', metadata: { name }, spec }), `policies/${name}.yaml`);
const container = (vmid: number, labels: Record<string, string>, covered = true): End => ({
  text: `container ${vmid}`,
  peer: { kind: 'container', labels: { type: 'container', ...labels } },
  covered,
});
const world: End = { text: 'the world', peer: { kind: 'entity', name: 'world' }, covered: false };
const outside: End = { text: '203.0.113.7', peer: { kind: 'range', cidr: '203.0.113.7/32' }, covered: false };
const web = container(101, { app: 'web' });
const db = container(102, { app: 'db' });
const postgres = { protocol: 'TCP', port: 5432 } as const;

const closed = policy('db-closed', { endpointSelector: { matchLabels: { app: 'db' } }, ingress: [{}] });
const webToDb = policy('web-to-db', {
  endpointSelector: { matchLabels: { app: 'db' } },
  ingress: [{ fromEndpoints: [{ matchLabels: { app: 'web' } }], toPorts: [{ ports: [{ port: '5432', protocol: 'TCP' }] }] }],
});

describe('why a connection is let through', () => {
  it('no policy speaks of it', () => {
    assert.deepEqual(explain([], web, db, postgres), {
      verdict: 'allow',
      enforced: true,
      by: null,
      sentence: 'container 101 may reach container 102 at tcp/5432: no policy speaks of it',
      nearest: null,
    });
  });

  it('a rule allows it, and is named', () => {
    const answer = explain([closed, webToDb], web, db, postgres);
    assert.deepEqual([answer.verdict, answer.by], ['allow', { policy: 'web-to-db', rule: 'ingress[0]' }]);
    assert.match(answer.sentence, /may reach container 102 at tcp\/5432: ingress\[0\] of policy web-to-db allows it$/);
  });

  it('a policy closes the receiver: the rule that lacks only the port is the nearest', () => {
    const answer = explain([closed, webToDb], web, db, { protocol: 'TCP', port: 80 });
    assert.deepEqual([answer.verdict, answer.by], ['deny', { policy: 'db-closed', rule: null }]);
    assert.match(answer.sentence, /may not reach .*: policy db-closed closes what container 102 receives, and no rule allows it$/);
    assert.deepEqual(answer.nearest, { policy: 'web-to-db', rule: 'ingress[0]', change: 'add tcp/80 to its ports' });
  });

  it('else the one whose peers the sender is nearest to', () => {
    const two = policy('two', {
      endpointSelector: { matchLabels: { app: 'db' } },
      ingress: [
        { fromEndpoints: [{ matchLabels: { app: 'batch', tier: 'night', zone: 'b' } }] },
        { fromEndpoints: [{ matchLabels: { tier: 'front' }, matchExpressions: [{ key: 'app', operator: 'In', values: ['web'] }] }] },
      ],
    });
    const { nearest } = explain([two], web, db, postgres);
    assert.deepEqual(nearest, { policy: 'two', rule: 'ingress[1]', change: 'container 101 would have to have tier=front' });
  });

  it('a rule that denies goes before all that allow', () => {
    const never = policy('never', { endpointSelector: {}, ingressDeny: [{ fromEndpoints: [{ matchLabels: { app: 'web' } }] }] });
    const answer = explain([webToDb, never], web, db, postgres);
    assert.deepEqual([answer.verdict, answer.by, answer.nearest], ['deny', { policy: 'never', rule: 'ingressDeny[0]' }, null]);
  });

  it('the sender has a word, too', () => {
    const jail = policy('jail', { endpointSelector: { matchLabels: { app: 'web' } }, egress: [{ toCIDR: ['192.0.2.0/24'] }] });
    const answer = explain([jail], web, outside, postgres);
    assert.match(answer.sentence, /policy jail closes what container 101 sends/);
    assert.deepEqual(answer.nearest, { policy: 'jail', rule: 'egress[0]', change: 'add 203.0.113.7/32 to toCIDR' });
  });

  it('the world is not a container: the design’s example keeps it out', () => {
    const example = [parsePolicy(defaultDeny, 'policies/default-deny.yaml')];
    assert.equal(explain(example, web, db, postgres).verdict, 'allow');
    const answer = explain(example, world, db, postgres);
    assert.deepEqual([answer.verdict, answer.by?.policy, answer.nearest], ['deny', 'default-deny', null]);
  });

  it('what nothing enforces is never told as if it were', () => {
    const bare = container(103, { app: 'db' }, false);
    const answer = explain([closed], web, bare, postgres);
    assert.deepEqual([answer.verdict, answer.enforced], ['deny', false]);
    assert.match(answer.sentence, /; nothing enforces policies at container 103$/);
  });

  it('a rule among several is named by its place in the file', () => {
    const several = parsePolicy(
      renderYaml({
        apiVersion: 'cilium.io/v2',
        kind: 'CiliumNetworkPolicy',
        metadata: { name: 'several' },
        spec: { endpointSelector: { matchLabels: { app: 'x' } }, ingress: [{}] },
        specs: [{ endpointSelector: {}, ingress: [{}, { fromEntities: ['all'] }] }],
      }),
      'policies/several.yaml',
    );
    assert.deepEqual(explain([several], web, db, postgres).by, { policy: 'several', rule: 'specs[0].ingress[1]' });
  });

  it('ICMP has types', () => {
    const echo = policy('echo', { endpointSelector: {}, ingress: [{ icmps: [{ fields: [{ type: 'EchoRequest' }] }] }] });
    assert.match(explain([echo], web, db, { protocol: 'ICMP', port: 8 }).sentence, /at icmp type 8: ingress\[0\] of policy echo allows it/);
    assert.equal(explain([echo], web, db, { protocol: 'ICMP', port: 0 }).verdict, 'deny');
  });
});
