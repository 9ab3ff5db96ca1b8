import type { ContainerPolicyView, PolicyReceipt, PolicyView } from '../../model/policy-api.ts';
import type { Context } from '../context.ts';
import { moment, paragraphs, sheet, state, table } from '../output.ts';

/** States in words: what is not enforced is never told as anything milder. */
const words: Record<string, string> = { 'in-force': 'in force', 'not-in-force': 'not in force', 'not-enforced': 'not enforced' };
const shown = (context: Context, word: string) => state(context.colours, words[word] ?? word);

export const renderPolicies =
  (context: Context) =>
  (policies: PolicyView[]): string => {
    if (policies.length === 0)
      return 'No policies are configured: every container reaches every other. Apply one: pve-cni policy apply FILE';
    const rows = policies.map((policy) => [
      policy.name,
      policy.kind ?? '-',
      shown(context, policy.state),
      policy.directions.join(' ') || '-',
      containersOf(policy),
    ]);
    const odd = policies.flatMap(({ name, problem, containers }) => [
      ...(problem ? [`${context.colours.red('problem')} ${name}: ${problem.message}`] : []),
      ...containers
        .filter((one) => one.state === 'not-enforced' || one.state === 'not-in-force')
        .map(
          (one) =>
            `${context.colours.red(words[one.state] ?? '')} ${name}: ${one.interface} of container ${one.vmid} on network ${one.network}`,
        ),
    ]);
    return paragraphs(table(context, ['NAME', 'KIND', 'STATE', 'DIRECTIONS', 'CONTAINERS'], rows), odd.join('\n'));
  };

function containersOf({ containers }: PolicyView): string {
  return [...new Set(containers.map(({ vmid }) => vmid))].join(' ') || 'none';
}

export const renderPolicy =
  (context: Context) =>
  (policy: PolicyView): string =>
    paragraphs(
      sheet(context, [
        ['name', policy.name],
        ['kind', policy.kind],
        ['state', shown(context, policy.state)],
        ['file', policy.file],
        ['directions', policy.directions.join(' ') || 'none'],
      ]),
      policy.containers.length > 0 ? subjects(context, policy.containers) : 'It selects no container.',
      policy.problem ? `${context.colours.red('problem')} ${policy.problem.message}` : '',
      policy.text?.trimEnd() ?? '',
    );

export const renderReceipt =
  (context: Context) =>
  ({ policy, endpoints, message, revision }: PolicyReceipt): string => {
    const selected = policy?.containers ?? [];
    const others = endpoints.filter((one) => !selected.some(({ vmid, interface: name }) => vmid === one.vmid && name === one.interface));
    return paragraphs(
      `${message}${revision === null ? '' : ` (revision ${revision})`}`,
      selected.length > 0 ? subjects(context, selected) : policy ? 'It selects no container.' : '',
      others.length > 0 ? paragraphs(context.colours.dim('Other endpoints on this node:'), subjects(context, others)) : '',
    );
  };

function subjects(context: Context, list: PolicyView['containers']): string {
  const rows = list.map((one) => [one.vmid, one.interface, one.network, shown(context, one.state), one.revision ?? '-', moment(one.since)]);
  return table(context, ['CONTAINER', 'INTERFACE', 'NETWORK', 'STATE', 'REVISION', 'SINCE'], rows);
}

export const renderContainerPolicy =
  (context: Context) =>
  ({ vmid, interfaces }: ContainerPolicyView): string =>
    paragraphs(...interfaces.map((one) => interfaceText(context, vmid, one)));

function interfaceText(context: Context, vmid: number, one: ContainerPolicyView['interfaces'][number]): string {
  const enforced = (['ingress', 'egress'] as const).map(
    (direction) => `${direction}: ${one.enforced[direction] ? 'only what is allowed' : 'everything'}`,
  );
  const facts = sheet(context, [
    ['interface', `${one.name} of container ${vmid} on ${one.network}`],
    ['state', shown(context, one.state)],
    ['enforcer', one.enforcer],
    ['endpoint', one.endpoint],
    ['identity', one.identity],
    ['revision', one.revision],
    ['policies', one.policies.map(({ name, directions }) => `${name} (${directions.join(', ')})`).join(' ') || 'none'],
    ['says', enforced.join(', ')],
    ['labels', one.labels.join(' ')],
  ]);
  const rows = (one.entries ?? []).map((entry) => [
    entry.direction,
    state(context.colours, entry.verdict),
    entry.peer,
    entry.protocol,
    entry.ports,
    entry.packets ?? '-',
    entry.bytes ?? '-',
  ]);
  return paragraphs(
    facts,
    rows.length > 0 ? table(context, ['DIRECTION', 'VERDICT', 'PEER', 'PROTOCOL', 'PORTS', 'PACKETS', 'BYTES'], rows) : '',
    one.differences.map((difference) => `${context.colours.red('differs')} ${difference}`).join('\n'),
  );
}
