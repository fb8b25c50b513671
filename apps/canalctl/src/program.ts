import { Command } from 'commander';
import { checkCommand } from './check/check-command.ts';
import { type CommandContext } from './command-context.ts';
import { completionCommand } from './completion/completion-command.ts';
import { diagCommand } from './diag/diag-command.ts';
import { EXIT_CODE_HELP } from './exit-code.ts';
import { getCommand } from './get/get-command.ts';
import { labCommand } from './lab/lab-command.ts';
import { ipamCommand } from './ipam/ipam-command.ts';
import { nodeCommand } from './node/node-command.ts';
import { flowsCommand } from './flows/flows-command.ts';
import { policyCommand } from './policy/policy-command.ts';
import { applyCommand, deleteCommand, patchCommand } from './objects/write-commands.ts';
import { printable } from './printable.ts';
import { statusCommand } from './status/status-command.ts';
import { testCommand } from './test/test-command.ts';
import { validateCommand } from './validate/validate-command.ts';
import { uninstallCommand } from './uninstall/uninstall-command.ts';

/** The tree of commands. Commander's own output goes to the terminal given; it throws instead of exiting. */
export function createProgram(context: CommandContext): Command {
  const program = new Command('canalctl')
    .description('Look after a canal network')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.terminal.out(text),
      // It says again what was typed, by a script perhaps with names of others in it.
      writeErr: (text) => context.terminal.err(printable(text)),
    })
    .showHelpAfterError('(--help lists what there is)')
    .addHelpText('afterAll', `\n${EXIT_CODE_HELP}`);
  program.addCommand(statusCommand(context));
  program.addCommand(nodeCommand(context));
  program.addCommand(ipamCommand(context));
  program.addCommand(policyCommand(context));
  program.addCommand(flowsCommand(context));
  program.addCommand(getCommand(context));
  program.addCommand(applyCommand(context));
  program.addCommand(deleteCommand(context));
  program.addCommand(patchCommand(context));
  program.addCommand(diagCommand(context));
  program.addCommand(checkCommand(context));
  program.addCommand(testCommand(context));
  program.addCommand(validateCommand(context));
  program.addCommand(labCommand(context));
  program.addCommand(uninstallCommand(context));
  program.addCommand(completionCommand(context));
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
