import { Command } from 'commander';
import { type CommandContext } from './command-context.ts';
import { EXIT_CODE_HELP } from './exit-code.ts';
import { labCommand } from './lab/lab-command.ts';
import { flowsCommand } from './policy/flows-command.ts';
import { policyCommand } from './policy/policy-command.ts';
import { uninstallCommand } from './uninstall/uninstall-command.ts';

/** The tree of commands. Commander's own output goes to the terminal given; it throws instead of exiting. */
export function createProgram(context: CommandContext): Command {
  const program = new Command('canalctl')
    .description('Look after a canal network')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.terminal.out(text),
      writeErr: (text) => context.terminal.err(text),
    })
    .showHelpAfterError('(--help lists what there is)')
    .addHelpText('after', `\n${EXIT_CODE_HELP}`);
  program.addCommand(policyCommand(context));
  program.addCommand(flowsCommand(context));
  program.addCommand(labCommand(context));
  program.addCommand(uninstallCommand(context));
  inherit(program);
  return program;
}

/** Commander copies settings to commands that it makes itself, not to those that are added. */
function inherit(parent: Command): void {
  for (const child of parent.commands) {
    child.copyInheritedSettings(parent);
    inherit(child);
  }
}
