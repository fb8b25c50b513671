import { Argument, Command } from 'commander';
import { ABOUT_ADMIN_API, askingAdminApi } from '../admin/admin-flags.ts';
import type { CommandContext } from '../command-context.ts';
import { listFormatOption } from '../output/list-format.ts';
import { KIND_WORDS } from './kind-words.ts';
import type { GetFlags } from './run.ts';

const ABOUT = `
Kinds, with other words for them:
${Object.entries(KIND_WORDS)
  .map(([kind, words]) => `${kind} (${words.join(', ')})`)
  .join(';\n')}.

This is what canal makes of the cluster's objects: whom a policy selects, what of it cannot be read, and what it met. The objects
themselves show "kubectl get", and in a lab "canalctl lab get". Audit needs the role admin.

Exit code 0, 3 when there is no such object, 5 when a node could not be asked.
${ABOUT_ADMIN_API}

  canalctl get networkpolicies -n shop
  canalctl get endpoints shop/web-0 -o yaml
  canalctl get nodes -o custom-columns=NAME:.name,STATE:.state`;

/** `canalctl get`: what canal knows, as lists. */
export function getCommand(context: CommandContext): Command {
  return askingAdminApi(new Command('get').description('Show nodes, policies, endpoints and what else canal knows'))
    .addArgument(
      // Help and completion name them; other words are taken, too.
      new Argument('<kind>', 'what to show').choices(Object.keys(KIND_WORDS)).argParser((word: string) => word),
    )
    .addArgument(new Argument('[name]', 'one of them: name, or namespace/name'))
    .option('-n, --namespace <namespace>', 'of this namespace alone (default: all)')
    .option('-A, --all-namespaces', 'of all namespaces, as without -n')
    .option('--node <name>', 'of this node alone')
    .addOption(listFormatOption())
    .addHelpText('after', ABOUT)
    .action(async (kind: string, name: string | undefined, flags: GetFlags) => {
      const { runGet } = await import('./run.ts');
      await runGet(context, kind, name, flags);
    });
}
