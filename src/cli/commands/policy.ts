import type { Command } from 'commander';
import type { CheckView } from '../../model/api.ts';
import type { Explanation, PolicyDiff } from '../../model/explain-api.ts';
import type { ContainerPolicyView, PolicyReceipt, PolicyView } from '../../model/policy-api.ts';
import { connectionEnd, policy, protocolAndPort, type TextFile, textFile, vmid } from '../arguments.ts';
import { type Act, examples } from '../program.ts';
import { showWaiting } from '../progress.ts';
import { renderCheck } from '../views/check.ts';
import { renderContainerPolicy, renderPolicies, renderPolicy, renderReceipt } from '../views/policy.ts';
import { renderExplanation, renderPolicyDiff } from '../views/policy-questions.ts';

export function addPolicyCommands(program: Command, act: Act): void {
  const policies = program
    .command('policy')
    .description('who may reach whom')
    .addHelpText(
      'after',
      examples('pve-cni policy list', 'pve-cni policy apply default-deny.yaml', 'pve-cni policy explain 101 102 tcp/5432'),
    );

  policies
    .command('list')
    .description('all policies, whether they are in force on this node, and for which containers')
    .addHelpText('after', examples('pve-cni policy list', 'pve-cni policy list --json | jq ".[] | select(.state != \\"in-force\\")"'))
    .action(
      act(async (context) => {
        const answer = await context.api.get<PolicyView[]>('/v1/policies');
        context.show(answer, renderPolicies(context));
        if (answer.some(({ state }) => state !== 'in-force')) context.found();
      }),
    );

  policies
    .command('show')
    .description('one policy, its file, and the containers that it selects')
    .argument('<POLICY>', 'name of the policy', policy)
    .addHelpText('after', examples('pve-cni policy show default-deny'))
    .action(
      act(async (context, name: string) => context.show(await context.api.get<PolicyView>(`/v1/policies/${name}`), renderPolicy(context))),
    );

  policies
    .command('apply')
    .description('write a policy below the root and bring it into force; says which endpoints enforce it since when')
    .argument('<FILE>', 'the policy; - for stdin', textFile)
    .addHelpText('after', examples('pve-cni policy apply default-deny.yaml', 'pve-cni policy apply - < default-deny.yaml'))
    .action(
      act(async (context, { text }: TextFile) => {
        const answer = await showWaiting(context, {}, () => context.api.post<PolicyReceipt>('/v1/policies', { text }));
        context.show(answer, renderReceipt(context));
        if (!answer.inForce) context.found();
      }),
    );

  policies
    .command('check')
    .description('what would be wrong with a policy; nothing is written')
    .argument('<FILE>', 'the policy; - for stdin', textFile)
    .addHelpText('after', examples('pve-cni policy check default-deny.yaml'))
    .action(
      act(async (context, { text }: TextFile) => {
        const answer = await context.api.post<CheckView>('/v1/policies/check', { text });
        context.show(answer, renderCheck(context, 'Nothing to check.'));
        if (!answer.ok) context.found();
      }),
    );

  policies
    .command('diff')
    .description('what a policy would change: its text, and the containers that it is about; nothing is written')
    .argument('<FILE>', 'the policy; - for stdin', textFile)
    .addHelpText('after', examples('pve-cni policy diff default-deny.yaml'))
    .action(
      act(async (context, { text }: TextFile) => {
        const answer = await context.api.post<PolicyDiff>('/v1/policies/diff', { text });
        context.show(answer, renderPolicyDiff(context));
        if (answer.findings.length > 0) context.found();
      }),
    );

  policies
    .command('explain')
    .description('whether policies let a connection through, and which rule says so')
    .argument('<FROM>', 'who begins it: a container’s number, world, host (this node), or an address', connectionEnd)
    .argument('<TO>', 'whom it is to reach', connectionEnd)
    .argument('<PROTOCOL/PORT>', 'tcp/PORT, udp/PORT, icmp or icmpv6', protocolAndPort)
    .addHelpText('after', examples('pve-cni policy explain 101 102 tcp/5432', 'pve-cni policy explain world 101 tcp/80'))
    .action(
      act(async (context, from: string, to: string, { protocol, port }: ReturnType<typeof protocolAndPort>) => {
        const answer = await context.api.get<Explanation>('/v1/policies/explain', { from, to, protocol, port });
        context.show(answer, renderExplanation(context));
        if (answer.verdict === 'deny') context.found();
      }),
    );

  policies
    .command('remove')
    .description('move a policy’s file to archive/, and out of force')
    .argument('<POLICY>', 'name of the policy', policy)
    .addHelpText('after', examples('pve-cni policy remove default-deny'))
    .action(
      act(async (context, name: string) => {
        const answer = await showWaiting(context, {}, () => context.api.delete<PolicyReceipt>(`/v1/policies/${name}`));
        context.show(answer, renderReceipt(context));
        if (!answer.inForce) context.found();
      }),
    );

  policies
    .command('get')
    .description('what the kernel holds for a container, beside what the policy files say')
    .argument('<VMID>', 'number of the container', vmid)
    .addHelpText('after', examples('pve-cni policy get 101', 'pve-cni policy get 101 --json | jq ".interfaces[].differences"'))
    .action(
      act(async (context, number: number) => {
        const answer = await context.api.get<ContainerPolicyView>(`/v1/containers/${number}/policy`);
        context.show(answer, renderContainerPolicy(context));
        if (answer.interfaces.some(({ differences }) => differences.length > 0)) context.found();
      }),
    );
}
