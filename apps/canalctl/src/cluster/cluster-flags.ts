import type { Command } from 'commander';

/** Which cluster a command is about. */
export interface ClusterFlags {
  readonly kubeconfig?: string;
  readonly context?: string;
}

export function onCluster(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'instead of KUBECONFIG or ~/.kube/config')
    .option('--context <name>', 'instead of the current context');
}
