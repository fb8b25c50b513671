import { type Command, Option } from 'commander';
import { type ClusterFlags, onCluster } from '../cluster/cluster-flags.ts';
import type { FieldValidation } from './api-client.ts';

/** Which API server a command changes, and where objects are that name no namespace. */
export interface ObjectFlags extends ClusterFlags {
  readonly lab?: string;
  readonly stateRoot: string;
  readonly namespace?: string;
  readonly dryRun?: 'server' | 'none';
}

/** Of commands that write what fields may be wrong in. */
export interface ValidatingFlags extends ObjectFlags {
  readonly validate: FieldValidation;
}

export const ABOUT_WRITES = `
Objects are changed through the Kubernetes API with the user of the kubeconfig, as kubectl changes them: the rights that count, and the
name in the audit log, are the user's.`;

export function onObjects(command: Command): Command {
  return onCluster(command)
    .addOption(
      new Option('--lab <lab>', 'the API server of a lab on this machine').conflicts(['kubeconfig', 'context']),
    )
    .addOption(
      new Option('--state-root <directory>', 'where labs keep their files')
        .default('/run/canal-lab')
        .env('CANAL_LAB_STATE_ROOT')
        .hideHelp(),
    )
    .option('-n, --namespace <namespace>', "of objects that name none (default: the context's)")
    .addOption(
      new Option('--dry-run [where]', 'the API server does everything but store it')
        .choices(['server', 'none'])
        .preset('server')
        .default('none'),
    );
}

export function validating(command: Command): Command {
  return command.addOption(
    new Option('--validate <how>', 'what is wrong in the fields is refused, told, or left to the API server')
      .choices(['strict', 'warn', 'ignore'])
      .default('strict'),
  );
}
