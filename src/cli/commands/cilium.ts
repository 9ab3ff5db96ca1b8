import type { Command } from 'commander';
import type { DoctorView } from '../../model/api.ts';
import { ciliumImage, ciliumVersion } from '../../model/cilium.ts';
import type { CiliumConfigView, CiliumKeyView, CiliumStatusView, CiliumWorkView } from '../../model/cilium-api.ts';
import { follow } from '../follow.ts';
import { type Act, examples } from '../program.ts';
import { renderCiliumConfig, renderCiliumStatus, renderCiliumWork } from '../views/cilium.ts';
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

  for (const [verb, description] of [
    ['install', 'fetch the agent, put it in place and start it as a unit of systemd'],
    ['upgrade', 'replace the installed agent; running containers keep their traffic'],
  ] as const)
    cilium
      .command(verb)
      .description(description)
      .option('--image <reference>', `image to fetch it from (default: ${ciliumImage})`)
      .option('--binaries <folder>', 'folder with cilium-agent, cilium-cni, cilium-dbg and bpf/, in place of an image')
      .option('--force', 'in spite of what the preflight finds')
      .addHelpText(
        'after',
        examples(
          `pve-cni cilium ${verb}`,
          `pve-cni cilium ${verb} --image registry.example.com/cilium/cilium:v${ciliumVersion}`,
          `pve-cni cilium ${verb} --binaries /root/cilium`,
        ),
      )
      .action(
        act(async (context, options: { image?: string; binaries?: string; force?: boolean }) => {
          const begun = await context.api.post<CiliumWorkView>(`/v1/cilium/${verb}`, options);
          context.show(await follow(context, begun), renderCiliumWork(context));
        }),
      );

  cilium
    .command('uninstall')
    .description('remove the installed agent and what it made in the kernel')
    .option('--force', 'even while containers use Cilium: they lose their network')
    .addHelpText('after', examples('pve-cni cilium uninstall'))
    .action(
      act(async (context, { force = false }: { force?: boolean }) => {
        const begun = await context.api.post<CiliumWorkView>('/v1/cilium/uninstall', { force });
        context.show(await follow(context, begun), renderCiliumWork(context));
      }),
    );

  cilium
    .command('rotate-key')
    .description('make a new IPsec key for the cluster; nodes take it up one by one, and nothing is lost meanwhile')
    .option('--force', 'even while nodes may still be taking up the last key')
    .addHelpText('after', examples('pve-cni cilium rotate-key'))
    .action(
      act(async (context, { force = false }: { force?: boolean }) => {
        const answer = await context.api.post<CiliumKeyView>('/v1/cilium/rotate-key', { force });
        context.show(answer, ({ message, operation }) => `${message} (operation ${operation})`);
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
