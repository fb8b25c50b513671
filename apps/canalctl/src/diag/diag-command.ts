import { Command, Option } from 'commander';
import { ABOUT_ADMIN_API, askingAdminApi } from '../admin/admin-flags.ts';
import type { CommandContext } from '../command-context.ts';
import type { DiagFlags } from './run.ts';

const ABOUT = `
Writes what somebody needs who looks for a fault from afar: versions, the network's configuration, canal's annotations of each node,
and the status, peers and policies of each agent. Only fields that are known get in; the rest is left out, not masked: no Secret, no
token and no key can be in it. Names of nodes, namespaces and policies, and addresses, are in it.

The file is for its owner alone (mode 0600), and nothing is written over. Needs the role admin.

Exit code 0 when everything is inside, 5 when something is missing: it is named.
${ABOUT_ADMIN_API}

  canalctl diag
  canalctl diag --directory /tmp/canal-diag
  canalctl diag --file - | less`;

/** `canalctl diag`: the bundle for who looks for a fault from afar. */
export function diagCommand(context: CommandContext): Command {
  return askingAdminApi(
    new Command('diag').description('Write a bundle for who looks for a fault from afar, without secrets'),
    'admin',
  )
    .addOption(
      new Option(
        '--file <file>',
        'one file of JSON, or - for standard output (default: canal-diag-TIME.json here)',
      ).conflicts('directory'),
    )
    .option('--directory <directory>', 'a new directory with a file for each part')
    .addOption(
      new Option('-o, --output <format>', 'how to print what is inside')
        .choices(['table', 'json', 'yaml'])
        .default('table'),
    )
    .addHelpText('after', ABOUT)
    .action(async (flags: DiagFlags) => {
      const { runDiag } = await import('./run.ts');
      await runDiag(context, flags);
    });
}
