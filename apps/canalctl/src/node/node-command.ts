import { Argument, Command, Option } from 'commander';
import { ABOUT_ADMIN_API, askingAdminApi } from '../admin/admin-flags.ts';
import type { CommandContext } from '../command-context.ts';
import type { NodeStatusFlags } from './node-status.ts';

const ABOUT = `
Without a name: the agents of every node. With one: the node, its agents, its peers and how each is reached, and what is wrong.
${ABOUT_ADMIN_API.trimStart()}

Exit code 0 when all is well, 5 when something is not, 3 when there is no such node.

  canalctl node status
  canalctl node status worker-1 -o json`;

/** `canalctl node …`: one node of the network. */
export function nodeCommand(context: CommandContext): Command {
  const node = new Command('node').description('Show how a node is');
  node.addCommand(statusCommand(context));
  return node;
}

function statusCommand(context: CommandContext): Command {
  return askingAdminApi(new Command('status').description('show agents, backend and peers'))
    .addArgument(new Argument('[name]', 'one node'))
    .addOption(
      new Option('-o, --output <format>', 'how to print').choices(['table', 'wide', 'json', 'yaml']).default('table'),
    )
    .addHelpText('after', ABOUT)
    .action(async (name: string | undefined, flags: NodeStatusFlags) => {
      const { runNodeStatus } = await import('./node-status.ts');
      await runNodeStatus(context, name, flags);
    });
}
