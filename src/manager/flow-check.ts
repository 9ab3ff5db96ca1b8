import type { Dependencies } from './dependencies.ts';
import type { Finding } from './doctor.ts';

/** Whether flows come in and can be kept, wherever there is an agent to tell of them. */
export async function checkFlows({
  cilium,
  flows,
  flowIntake,
  settings,
}: Pick<Dependencies, 'cilium' | 'flows' | 'flowIntake' | 'settings'>): Promise<Finding[]> {
  const { hubble, problem } = flowIntake.state();
  const { rows, problem: storeProblem } = flows.counts();
  const findings: Finding[] = [];
  if (storeProblem !== null)
    findings.push({ state: 'warning', message: `flows are not kept: ${storeProblem}`, cure: 'free space, or remount' });
  if (hubble === 'away' || hubble === 'absent') {
    const agentIsThere = await cilium.ready().then(
      () => true,
      () => false,
    );
    // an agent that is away is another check's finding
    if (agentIsThere)
      findings.push({
        state: 'warning',
        message:
          hubble === 'away'
            ? `${problem}`
            : `Cilium’s agent answers, and there is no socket of Hubble at ${settings.cilium.hubbleSocket}: no flows are seen`,
        cure: 'switch Hubble on in the agent (enable-hubble), or correct cilium.hubbleSocket in pve-cnid.yaml',
      });
    else if (findings.length === 0) return [{ state: 'skipped', message: 'no Cilium agent answers here, so there are no flows' }];
  }
  if (findings.length > 0) return findings;
  if (hubble === 'off') return [{ state: 'skipped', message: 'flows are not kept (flows.retentionDays is 0), and nobody follows them' }];
  return [{ state: 'ok', message: `flows of Hubble come in, ${rows} are kept` }];
}
