import type { Command } from 'commander';
import type { DoctorView } from '../../model/api.ts';
import type { CiliumConfigView, CiliumStatusView } from '../../model/cilium-api.ts';
import { type Act, examples } from '../program.ts';
import { renderCiliumConfig, renderCiliumStatus } from '../views/cilium.ts';
import { renderDoctor } from '../views/service.ts';
import { addCiliumMapCommands } from './cilium-maps.ts';

export function addCiliumCommands(program: Command, act: Act): void {
  const cilium = program
    .command('cilium')
    .description('Cilium’s agent on this node')
    .addHelpText('after', examples('pve-cni cilium preflight', 'pve-cni cilium status'));

  cilium
    .command('status')
    .description('what Cilium says of itself, what is wanted of it, and what differs')
    .addHelpText('after', examples('pve-cni cilium status', 'pve-cni cilium status --json | jq .differences'))
    .action(
      act(async (context) => {
        const answer = await context.api.get<CiliumStatusView>('/v1/cilium/status');
        context.show(answer, renderCiliumStatus(context));
        if (answer.state !== 'ok') context.found();
      }),
    );

  cilium
    .command('preflight')
    .description('whether the agent can live on this node beside what is there; each finding with its cure')
    .addHelpText(
      'after',
      examples('pve-cni cilium preflight', 'pve-cni cilium preflight --json | jq ".checks[] | select(.state == \\"bad\\")"'),
    )
    .action(
      act(async (context) => {
        const answer = await context.api.get<DoctorView>('/v1/cilium/preflight');
        context.show(answer, renderDoctor(context));
        if (answer.checks.some(({ state }) => state === 'bad')) context.found();
      }),
    );

  cilium
    .command('config')
    .description('the agent’s configuration as the settings make it, and how the disk and the running agent differ')
    .option('--write', 'write it; the agent reads it at its next start')
    .addHelpText('after', examples('pve-cni cilium config', 'pve-cni cilium config --write', 'pve-cni cilium config --json | jq -r .flags'))
    .action(
      act(async (context, { write = false }: { write?: boolean }) => {
        const path = '/v1/cilium/config';
        const answer = write ? await context.api.post<CiliumConfigView>(path, {}) : await context.api.get<CiliumConfigView>(path);
        context.show(answer, renderCiliumConfig(context));
        if (answer.differences.length > 0) context.found();
      }),
    );

  addCiliumMapCommands(cilium, act);
}
