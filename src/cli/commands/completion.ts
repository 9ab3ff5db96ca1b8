import { Argument, type Command } from 'commander';
import { completionScripts, type Shell } from '../completion-scripts.ts';
import { type Act, examples } from '../program.ts';

export function addCompletionCommand(program: Command, act: Act): void {
  program
    .command('completion')
    .description('print the completion script of a shell')
    .addArgument(new Argument('<SHELL>', 'which shell').choices(Object.keys(completionScripts)))
    .addHelpText(
      'after',
      examples(
        'pve-cni completion bash > /etc/bash_completion.d/pve-cni',
        'pve-cni completion zsh > /usr/local/share/zsh/site-functions/_pve-cni',
        'pve-cni completion fish > /etc/fish/completions/pve-cni.fish',
        'source <(pve-cni completion bash)',
      ),
    )
    .action(act(async (context, shell: Shell) => context.show(completionScripts[shell], (script) => script)));
}
