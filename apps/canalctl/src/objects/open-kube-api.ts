/** The API server that a command changes: of the kubeconfig, or of a lab, which has a kubeconfig of its own. */
import { existsSync } from 'node:fs';
import { DEFAULT_STATE_ROOT, LabError, labPaths } from '@canal/lab';
import { connectCluster, systemClock } from '../cluster/connect-cluster.ts';
import type { CommandContext } from '../command-context.ts';
import { type ApiClient, createApiClient } from './api-client.ts';
import type { ObjectFlags } from './objects-flags.ts';

export interface KubeApi {
  readonly client: ApiClient;
  /** Of objects that name none. */
  readonly namespace: string;
}

/** Throws KubeConfigError and LabError. */
export async function openKubeApi({ signal }: CommandContext, flags: ObjectFlags): Promise<KubeApi> {
  const { lab } = flags;
  const of = lab === undefined ? flags : { kubeconfig: labKubeconfig(flags.stateRoot, lab) };
  const connection = await connectCluster(of, systemClock());
  return {
    client: createApiClient(connection, signal),
    namespace: flags.namespace ?? connection.namespace ?? 'default',
  };
}

function labKubeconfig(stateRoot: string, lab: string): string {
  const { kubeconfig } = labPaths(stateRoot === '' ? DEFAULT_STATE_ROOT : stateRoot, lab);
  if (existsSync(kubeconfig)) return kubeconfig;
  throw new LabError('not-found', `there is no lab "${lab}" here`);
}
