import { type Command, Option } from 'commander';
import { type ClusterFlags, onCluster } from '../cluster/cluster-flags.ts';

/** Each may do what the ones before it may. */
const ADMIN_ROLES = ['view', 'operate', 'admin'] as const;

export type AdminRole = (typeof ADMIN_ROLES)[number];

/** Where the admin API is that a command asks, and who asks. */
export interface AdminFlags extends ClusterFlags {
  readonly adminServer?: string;
  readonly adminTokenFile?: string;
  readonly adminCaFile?: string;
  readonly asRole?: AdminRole;
  readonly lab?: string;
  readonly stateRoot: string;
}

export const ABOUT_ADMIN_API = `
What is shown comes from the admin API. It is found by --lab, else by --admin-server, else in the cluster of the kubeconfig: there
through a port-forward to its pod, with a short-lived token of the service account canal-system/canal-view (or that of --as-role),
which the user must be allowed to ask for; without --as-role a token of the kubeconfig that is made for the admin API is taken
instead.`;

/** `role`: what the command's questions need. */
export function askingAdminApi(command: Command, role: AdminRole = 'view'): Command {
  return onCluster(command)
    .addOption(new Option('--lab <lab>', 'the admin API of a lab on this machine'))
    .addOption(new Option('--admin-server <url>', 'the admin API, as https://host:port').env('CANALCTL_ADMIN_SERVER'))
    .addOption(
      new Option('--admin-token-file <file>', 'who asks: the token in this file').env('CANALCTL_ADMIN_TOKEN_FILE'),
    )
    .addOption(
      new Option('--admin-ca-file <file>', 'the authority of its certificate, in PEM').env('CANALCTL_ADMIN_CA_FILE'),
    )
    .addOption(
      new Option(
        '--as-role <role>',
        `in a cluster: with a token of the service account canal-${role}, or of another role`,
      ).choices(ADMIN_ROLES),
    )
    .addOption(
      new Option('--state-root <directory>', 'where labs keep their files')
        .default('/run/canal-lab')
        .env('CANAL_LAB_STATE_ROOT')
        .hideHelp(),
    );
}
