import { Command, Option } from 'commander';
import { onCluster } from '../cluster/cluster-flags.ts';
import { type CommandContext } from '../command-context.ts';
import { UsageError } from '../report-error.ts';
import { type UninstallFlags } from './run.ts';

const ABOUT = `
The agents end first; then a Job on each node removes what canal has there and says what, and the sysctls that canal
changed get their former values; then the objects of canal.yaml go. Pods that are not in the host's network lose it:
drain the nodes, or have the next CNI ready. --dry-run starts the Jobs too, and they only look.

Exit code 0 when every node is clean, 1 when something could not be removed, 5 when a node could not be reached.`;

export function uninstallCommand(context: CommandContext): Command {
  const command = new Command('uninstall')
    .description('Take everything of canal off a cluster and its nodes')
    .option('--dry-run', 'say what would be removed on each node, and remove nothing')
    .option('-y, --yes', 'do not ask')
    .option('--node <name...>', 'only these nodes, on which the agent does not run any more; objects stay')
    .option('--keep-objects', 'leave namespace, RBAC and admission policies in the cluster');
  return onCluster(command)
    .option('-n, --namespace <namespace>', 'where canal is installed', 'canal-system')
    .option('--image <image>', "instead of the DaemonSet's")
    .addOption(
      new Option('--timeout <seconds>', 'how long agents may take to end, and the Job on a node')
        .default(120)
        .argParser(seconds),
    )
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'))
    .addHelpText('after', ABOUT)
    .action(async (flags: UninstallFlags) => {
      const { runUninstall } = await import('./run.ts');
      await runUninstall(context, flags);
    });
}

function seconds(text: string): number {
  const value = /^[0-9]{1,5}s?$/.test(text) ? parseInt(text, 10) : 0;
  if (value === 0)
    throw new UsageError(`--timeout: ${JSON.stringify(text)} is no number of seconds`, 'give one such as 120');
  return value;
}
