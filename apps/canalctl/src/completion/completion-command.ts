import { Argument, Command } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { SHELL_SCRIPTS, SHELLS, type Shell } from './shell-scripts.ts';

const ABOUT = `
For one session: "source <(canalctl completion bash)", the same with zsh; "canalctl completion fish | source" in fish.
For all to come, as root (bash needs the package bash-completion, zsh any directory of fpath):

  canalctl completion bash > /etc/bash_completion.d/canalctl
  canalctl completion zsh > /usr/local/share/zsh/site-functions/_canalctl
  canalctl completion fish > /etc/fish/completions/canalctl.fish

kubectl completes "kubectl canal" where its own completion is loaded, by an executable beside kubectl-canal in PATH:

  canalctl completion kubectl > /usr/local/bin/kubectl_complete-canal
  chmod +x /usr/local/bin/kubectl_complete-canal`;

/** `canalctl completion SHELL`: what makes a shell complete commands, options and their values. */
export function completionCommand(context: CommandContext): Command {
  return new Command('completion')
    .description('Print what makes a shell complete commands, options and values')
    .addArgument(new Argument('<shell>', 'whose script').choices(SHELLS))
    .addHelpText('after', ABOUT)
    .action((shell: Shell) => context.terminal.out(SHELL_SCRIPTS[shell]));
}
