import { Command, Option } from 'commander';
import { ABOUT_ADMIN_API, askingAdminApi } from '../admin/admin-flags.ts';
import type { CommandContext } from '../command-context.ts';
import { parseSeconds } from './seconds.ts';
import type { StatusFlags } from './run.ts';

const ABOUT = `
A line a node: the state of its agents, how traffic between nodes travels, when the kernel last was as policies want it, nodes
whose pods it reaches of those there are, addresses in use of those there are. Beneath it, for all that is not well: cause and
next step. ${ABOUT_ADMIN_API.trimStart()}

Exit code 0 when all is well (warnings are no fault), 5 when something is not, 7 when --wait took too long, 1 when the admin API
cannot be asked.

  canalctl status
  canalctl status --wait --timeout 2m
  canalctl status --lab lab -o wide`;

/** `canalctl status`: one screen of the network. */
export function statusCommand(context: CommandContext): Command {
  return askingAdminApi(
    new Command('status').description(
      'Show each node: agents, backend, peers, policy, addresses; what is wrong, and what to do',
    ),
  )
    .option('--wait', 'wait until all is well')
    .addOption(
      new Option('--timeout <time>', 'how long to wait, such as 90s or 5m').argParser(parseSeconds).default(300, '5m'),
    )
    .addOption(
      new Option('-o, --output <format>', 'how to print').choices(['table', 'wide', 'json', 'yaml']).default('table'),
    )
    .addHelpText('after', ABOUT)
    .action(async (flags: StatusFlags) => {
      const { runStatus } = await import('./run.ts');
      await runStatus(context, flags);
    });
}
