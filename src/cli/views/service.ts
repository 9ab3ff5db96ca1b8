import type { DoctorView, GcView, StatusView } from '../../model/api.ts';
import type { Context } from '../context.ts';
import { duration, moment, paragraphs, sheet, state, table } from '../output.ts';

export const renderStatus =
  (context: Context) =>
  (status: StatusView): string => {
    const { colours } = context;
    const { root, containers } = status;
    const degraded = containers.degraded > 0 ? `, ${colours.red(`${containers.degraded} degraded`)}` : '';
    const access = root.available
      ? root.writable
        ? ''
        : ` ${colours.yellow('(read-only)')}`
      : ` ${colours.red('(not available; the last good one serves)')}`;
    const facts = sheet(context, [
      ['service', `${status.version} on ${status.node}, up ${duration(status.uptimeSeconds * 1000)}`],
      ['configuration', `${root.path}${access}`],
      ['containers', `${containers.managed} managed, ${containers.running} running${degraded}`],
      ['networks', status.networks],
      ['operations running', status.operationsRunning],
      ['flows', flowsInWords(status.flows)],
      ['last reconcile', moment(status.lastReconcile)],
    ]);
    const notices = status.notices.map((notice) => `${colours.yellow('notice')} ${notice}`);
    const problems = status.problems.map(
      ({ file, error, lastGoodServes }) =>
        `${colours.red('problem')} ${file}: ${error.message}${lastGoodServes ? ' (the last good one serves)' : ''}`,
    );
    const debts = status.debts.map(
      ({ vmid, ifname, network, attempts, nextTryAt, reason }) =>
        `${colours.yellow('debt')} ${vmid} ${ifname} on ${network}: ${reason.message} (${attempts} attempts, next ${moment(nextTryAt)})`,
    );
    const next = status.networks === 0 ? `No networks yet. Write ${root.path}/networks/NAME.yaml.` : '';
    const first =
      containers.managed === 0 && status.networks > 0
        ? 'No containers are attached. Attach one: pve-cni container attach 101 eth0=web'
        : '';
    return paragraphs(facts, [...notices, ...problems, ...debts].join('\n'), next, first);
  };

function flowsInWords({ hubble, kept, bytes, lost, gaps, problem }: StatusView['flows']): string {
  if (hubble === 'absent' && kept === 0) return '';
  const missed = [...(lost > 0 ? [`${lost} lost`] : []), ...(gaps > 0 ? [`${gaps} gaps`] : [])].join(', ');
  const facts = [`Hubble ${hubble}`, `${kept} kept (${(bytes / 1024 / 1024).toFixed(1)} MB)`, missed, problem ?? ''];
  return facts.filter(Boolean).join(', ');
}

export const renderDoctor =
  (context: Context) =>
  ({ checks }: DoctorView): string => {
    const rows = checks.map((check) => [state(context.colours, check.state), check.name, check.message]);
    const cures = checks.flatMap(({ name, state, cure }) =>
      (state === 'bad' || state === 'warning') && cure ? [`  ${name}: ${cure}`] : [],
    );
    return paragraphs(table(context, ['STATE', 'CHECK', 'MESSAGE'], rows), cures.length > 0 ? ['Cures:', ...cures].join('\n') : '');
  };

export const renderGc =
  (context: Context) =>
  ({ dryRun, leaks }: GcView): string => {
    if (leaks.length === 0) return 'Nothing is left over.';
    const fate = (removed: boolean, failed: boolean) => (failed ? 'failed' : removed ? 'removed' : dryRun ? 'would go' : 'kept');
    const rows = leaks.map(({ kind, what, why, removed, error }) => [
      state(context.colours, fate(removed, error !== null)),
      kind,
      what,
      error ? `${why}; ${error.message}` : why,
    ]);
    return paragraphs(table(context, ['STATE', 'KIND', 'WHAT', 'WHY'], rows), dryRun ? 'Nothing was removed. Remove it: pve-cni gc' : '');
  };
