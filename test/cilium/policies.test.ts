import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import fc from 'fast-check';
import { type AgentPolicies, createAgentPolicies } from '../../src/cilium/policies.ts';
import { createPolicyFolder, fileText } from '../../src/cilium/policy-folder.ts';
import { parsePolicy } from '../../src/config/policies.ts';
import { renderYaml } from '../../src/config/yaml.ts';
import { emptyPolicy } from '../../src/core/agent-policy.ts';
import type { Policy } from '../../src/model/policy.ts';
import { anyPolicy, defaultDeny } from '../support/policies.ts';
import { until } from '../support/until.ts';
import { createLab, type Lab, needsCilium } from './lab.ts';

const timeoutMs = 20_000;
/** how many random policies */
const runs = Number(process.env.PVE_CNI_POLICY_RUNS ?? 300);
const seed = Number(process.env.PVE_CNI_POLICY_SEED ?? 4711);
const named = (name: string, text = defaultDeny): Policy => parsePolicy(text.replace('default-deny', name), `policies/${name}.yaml`);

describe('policies of Cilium’s agent', () => {
  let lab: Lab;
  let policies: AgentPolicies;
  before(async function () {
    this.timeout(120_000);
    needsCilium(this);
    lab = await createLab({ settings: { dnsPolicies: true } });
  });
  after(() => lab?.destroy());

  beforeEach(() => {
    policies = fresh();
  });
  afterEach(async function () {
    this.timeout(60_000);
    await policies.ensureInForce([], { timeoutMs });
    await policies.tidy([]);
    assert.deepEqual(files(), []);
    await until('the agent has no policy', async () => (await lab.first.agent.policies()).text === '[]');
  });

  const fresh = () =>
    createAgentPolicies({
      agent: lab.first.agent,
      folder: createPolicyFolder({ path: lab.first.paths.policies }),
      clusterName: 'default',
      clock: Date.now,
      log: () => {},
    });
  const files = () => readdirSync(lab.first.paths.policies);
  const byHand = (file: string, text: string) => writeFileSync(join(lab.first.paths.policies, file), text);

  it('come into force, change and go away, and the agent says so', async () => {
    const [one, other] = [named('one'), named('other')];
    const revision = await policies.ensureInForce([one, other], { timeoutMs });
    assert.deepEqual([...(await policies.compare([one, other])).exact], ['one', 'other']);
    const changed = named('one', defaultDeny.replaceAll('type: container', 'app: web'));
    assert.deepEqual((await policies.compare([changed, other])).differences, ['the agent has something else of policy one']);
    assert.ok((await policies.ensureInForce([changed, other], { timeoutMs })) > revision);
    await policies.ensureInForce([other], { timeoutMs });
    assert.match((await policies.compare([one, other])).differences[0] ?? '', /something else of policy one/);
    await policies.tidy([other]);
    assert.deepEqual(files(), ['other.yaml']);
  });

  it('a policy under another name takes the place of the old one', async () => {
    await policies.ensureInForce([named('before')], { timeoutMs });
    await policies.ensureInForce([named('after')], { timeoutMs });
    await policies.tidy([named('after')]);
    assert.deepEqual(files(), ['after.yaml']);
    assert.deepEqual((await policies.compare([named('after')])).differences, []);
  });

  it(`any that we let pass is taken by the agent as it is written, and the agent starts with all of them (${runs}, seed ${seed})`, async function () {
    this.timeout(300_000);
    const objects = fc.sample(anyPolicy({ dns: true }), { numRuns: runs, seed });
    const all = objects.map((object, index) => {
      const name = `p${index}.${object.metadata.name}`;
      return parsePolicy(renderYaml({ ...object, metadata: { ...object.metadata, name } }), `policies/${name}.yaml`);
    });
    await policies.ensureInForce(all, { timeoutMs: 120_000 });
    assert.doesNotMatch(lab.first.agentLog(), /Failed to (add network policy|translate)/);
    await lab.first.stopAgent();
    await lab.first.startAgent();
    await policies.ensureInForce(all, { timeoutMs: 120_000 });
    assert.doesNotMatch(lab.first.agentLog(), /level=fatal/);
    await policies.ensureInForce([], { timeoutMs: 120_000 });
  });

  it('written while the agent is away are in force when it comes, and those removed are not', async function () {
    this.timeout(120_000);
    const [old, kept, next] = [named('old'), named('kept'), named('next')];
    await policies.ensureInForce([old, kept], { timeoutMs });
    await lab.first.killAgent();
    await assert.rejects(policies.ensureInForce([kept, next], { timeoutMs }), { code: 'CILIUM_UNAVAILABLE' });
    await lab.first.startAgent();
    assert.deepEqual((await policies.compare([kept, next])).differences, []);
    await policies.tidy([kept, next]);
    assert.deepEqual(files(), ['kept.yaml', 'next.yaml']);
  });

  it('what a service that died in the middle of a removal left is removed by the next one', async () => {
    const [kept, gone] = [named('kept'), named('gone')];
    await policies.ensureInForce([kept, gone], { timeoutMs });
    // it had replaced the file, written another to wait for, and died
    await policies.write([kept]);
    byHand('pve-cni-barrier.0011223344556677.yaml', fileText(emptyPolicy('pve-cni-barrier.0011223344556677')));
    policies = fresh();
    await policies.ensureInForce([kept], { timeoutMs });
    await policies.tidy([kept]);
    assert.deepEqual(files(), ['kept.yaml']);
    assert.deepEqual(policies.findings, []);
  });

  it('a file that somebody broke ends the agent; it is right again before the agent is, and what was there is kept', async function () {
    this.timeout(120_000);
    const policy = named('mine');
    await policies.ensureInForce([policy], { timeoutMs });
    const good = readFileSync(join(lab.first.paths.policies, 'mine.yaml'), 'utf8');
    byHand('mine.yaml', 'spec: [broken');
    await until('the agent has ended', () => /level=fatal.*mine\.yaml/.test(lab.first.agentLog()), 20);
    await policies.write([policy]);
    assert.equal(readFileSync(join(lab.first.paths.policies, 'mine.yaml'), 'utf8'), good);
    await lab.first.startAgent();
    await policies.ensureInForce([policy], { timeoutMs });
    const [finding] = policies.findings;
    assert.equal(finding?.file, 'mine.yaml');
    assert.match(finding?.message ?? '', /changed by somebody and is right again; what it said is in .*policies\.aside/);
  });

  it('a file that somebody put there is out of force, without harm to the agent, and kept', async () => {
    byHand(
      'foreign.yaml',
      JSON.stringify({ metadata: { name: 'f' }, spec: { endpointSelector: {}, ingress: [{ fromEntities: ['all'] }] } }),
    );
    await policies.ensureInForce([], { timeoutMs });
    assert.match(policies.findings[0]?.message ?? '', /foreign\.yaml.*not ours/);
    mkdirSync(join(lab.first.paths.policies, '..', 'policies.aside'), { recursive: true });
    assert.ok(readdirSync(join(lab.first.paths.policies, '..', 'policies.aside')).some((name) => name.startsWith('foreign.yaml')));
    assert.equal((await lab.first.agent.health()).cilium.state, 'Ok');
  });

  it('written, removed and written again as fast as it goes do the agent no harm', async function () {
    this.timeout(120_000);
    for (let round = 0; round < 15; round++) {
      await policies.write([named('a'), named(`b${round}`)]);
      await policies.write([]);
      await policies.tidy([]);
    }
    await policies.ensureInForce([named('a')], { timeoutMs });
    assert.equal((await lab.first.agent.health()).cilium.state, 'Ok');
  });

  it('C51 that a full disk does not take are refused by name, and fill it no further', async () => {
    const elsewhere = mkdtempSync('/var/lib/pve-cni-test-policies-');
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'none', elsewhere]);
    try {
      const { agent } = lab.first;
      const full = createAgentPolicies({
        agent,
        folder: createPolicyFolder({ path: elsewhere }),
        clusterName: 'default',
        clock: Date.now,
        log: () => {},
      });
      const many = Array.from({ length: 20 }, (_, index) => named(`p${index}`));
      const refused = { code: 'STATE_WRITE_FAILED', message: /p\d+\.yaml: ENOSPC/ };
      for (let round = 0; round < 3; round++) await assert.rejects(full.write(many), refused);
      assert.deepEqual(
        readdirSync(elsewhere).filter((name) => name.startsWith('.')),
        [],
      );
    } finally {
      await execa('umount', [elsewhere]);
      rmSync(elsewhere, { recursive: true });
    }
  });

  it('that the agent does not take up are refused after the time, with what differs', async () => {
    const elsewhere = mkdtempSync('/var/lib/pve-cni-test-policies-');
    const { agent } = lab.first;
    const folder = createPolicyFolder({ path: elsewhere });
    const lost = createAgentPolicies({ agent, folder, clusterName: 'default', clock: Date.now, log: () => {} });
    await assert.rejects(lost.ensureInForce([named('lost')], { timeoutMs: 300 }), {
      code: 'POLICY_NOT_IN_FORCE',
      message: /the agent has nothing of policy lost/,
    });
    rmSync(elsewhere, { recursive: true });
  });
});
