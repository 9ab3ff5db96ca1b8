import type { Command } from 'commander';
import type { CheckView, DoctorView, GcView, StatusView } from '../../model/api.ts';
import type { SetupView } from '../../model/setup.ts';
import { type Act, examples } from '../program.ts';
import { showWaiting } from '../progress.ts';
import { renderCheck } from '../views/check.ts';
import { renderDoctor, renderGc, renderStatus } from '../views/service.ts';
import { renderSetup } from '../views/setup.ts';

export function addServiceCommands(program: Command, act: Act): void {
  program
    .command('status')
    .description('the service and the node in short')
    .addHelpText('after', examples('pve-cni status', 'pve-cni status --json'))
    .action(act(async (context) => context.show(await context.api.get<StatusView>('/v1/status'), renderStatus(context))));

  program
    .command('doctor')
    .description('check everything the product needs; each check with its cure')
    .addHelpText('after', examples('pve-cni doctor', 'pve-cni doctor --json | jq ".checks[] | select(.state == \\"bad\\")"'))
    .action(
      act(async (context) => {
        const answer = await context.api.get<DoctorView>('/v1/doctor');
        context.show(answer, renderDoctor(context));
        if (!answer.ok) context.found();
      }),
    );

  program
    .command('setup')
    .description('make what a node of Proxmox needs once: folders of the root, a token for Proxmox’s API; what is there is kept')
    .option('--dry-run', 'only show what would be made')
    .addHelpText('after', examples('pve-cni setup --dry-run', 'pve-cni setup', 'pve-cni setup --json'))
    .action(
      act(async (context, { dryRun = false }: { dryRun?: boolean }) => {
        const answer = await showWaiting(context, {}, () => context.api.post<SetupView>('/v1/setup', { dryRun }));
        context.show(answer, renderSetup(context));
        if (answer.steps.some(({ what, state }) => state === 'missing' && what !== 'Proxmox')) context.found();
      }),
    );

  program
    .command('gc')
    .description('find and remove what should not be there: compares configuration, state, plugin caches and kernel')
    .option('--dry-run', 'only show what would be removed, and why')
    .addHelpText('after', examples('pve-cni gc --dry-run', 'pve-cni gc'))
    .action(
      act(async (context, { dryRun = false }: { dryRun?: boolean }) => {
        const answer = await showWaiting(context, {}, () => context.api.post<GcView>('/v1/gc', { dryRun }));
        context.show(answer, renderGc(context));
        if (answer.leaks.some(({ error }) => error !== null)) context.found();
      }),
    );

  const config = program.command('config').description('the configuration files').addHelpText('after', examples('pve-cni config check'));
  config
    .command('check')
    .description('check every configuration file')
    .addHelpText('after', examples('pve-cni config check', 'pve-cni config check --json'))
    .action(
      act(async (context) => {
        const answer = await context.api.get<CheckView>('/v1/configuration/check');
        context.show(
          answer,
          renderCheck(context, 'No configuration files yet. Write networks/NAME.yaml below the root that `pve-cni status` names.'),
        );
        if (!answer.ok) context.found();
      }),
    );
}
