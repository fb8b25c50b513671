/** What policies are about, as the API server of a cluster has it. */
import { createKubeStore } from '@canal/store-kube';
import { NAMESPACES, NETWORK_POLICIES, NODES, PODS } from '@canal/store-port';
import type { ClusterFlags } from '../cluster/cluster-flags.ts';
import { connectCluster, systemClock } from '../cluster/connect-cluster.ts';
import type { CommandContext } from '../command-context.ts';
import type { Manifest } from '../objects/manifest.ts';
import { createProgress } from '../progress.ts';
import { untilAborted } from '../until-aborted.ts';

/** Throws KubeConfigError and StoreError. */
export async function readLiveManifests(
  { terminal, signal }: CommandContext,
  flags: ClusterFlags,
): Promise<readonly Manifest[]> {
  const clock = systemClock();
  const store = createKubeStore({ connection: await connectCluster(flags, clock), clock });
  const progress = createProgress(terminal);
  try {
    progress.step('reading namespaces, policies, pods and nodes of the cluster');
    const types = [NAMESPACES, NETWORK_POLICIES, PODS, NODES];
    const lists = await untilAborted(signal, Promise.all(types.map((type) => store.list(type))));
    return lists.flatMap((objects, index) => {
      const { group, version, kind } = types[index] as (typeof types)[number];
      const apiVersion = group === '' ? version : `${group}/${version}`;
      return objects.map((object): Manifest => {
        const { name, namespace } = object.metadata;
        return {
          object,
          apiVersion,
          kind,
          name,
          namespace,
          where: `${kind} ${namespace ?? ''}/${name} of the cluster`,
        };
      });
    });
  } finally {
    progress.done();
  }
}
