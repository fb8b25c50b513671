/** A cluster as the API tells it, and a flow in it: what the naive evaluator and the engine are both asked about. */
import type { NetworkPolicy, PolicyEndpoint, PolicyNamespace, PolicyPod } from '@canal/model';
import type { Ip } from 'net-types';

export interface PolicyCluster {
  readonly namespaces: readonly PolicyNamespace[];
  readonly pods: readonly PolicyPod[];
  readonly policies: readonly NetworkPolicy[];
  /** Interfaces on the node that is looked at. */
  readonly endpoints: readonly PolicyEndpoint[];
  readonly ownNodeAddresses: readonly Ip[];
  readonly otherNodeAddresses: readonly Ip[];
}
