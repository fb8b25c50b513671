/** Pods and namespaces as policy sees them: what an agent keeps of each, of the whole cluster. */
import type { InterfaceName, Ip, Mac } from 'net-types';
import type { Labels } from './label-selector.ts';
import type { PolicyProtocol } from './network-policy.ts';

export interface PolicyNamespace {
  readonly name: string;
  readonly labels: Labels;
}

export interface PolicyPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly labels: Labels;
  /** status.podIPs; empty while there are none. */
  readonly addresses: readonly Ip[];
  /** spec.nodeName; empty while unscheduled. */
  readonly node: string;
  /** Never selected, neither as subject nor as peer: its addresses are its node's. */
  readonly hostNetwork: boolean;
  /** Phase Succeeded or Failed: its addresses may already be somebody else's. */
  readonly completed: boolean;
  /** Declared ports that have a name, of containers, init containers and sidecars. */
  readonly ports: readonly NamedPort[];
  /**
   * metadata.creationTimestamp since the epoch. Of live pods with one address one that is not being deleted has it; of
   * several such the youngest.
   */
  readonly createdMs: number;
  /**
   * metadata.deletionTimestamp is there. Its network may be gone already and its address another pod's, which may have
   * been created earlier and have waited for this place.
   */
  readonly deleting?: boolean;
}

export interface NamedPort {
  readonly name: string;
  readonly protocol: PolicyProtocol;
  readonly port: number;
}

/** A pod's interface on this node, from ADD on: what is policed. Known from the CNI plugin, not from the watch. */
export interface PolicyEndpoint {
  /** `<containerId>/<interface in the pod>`. */
  readonly key: string;
  /** Absent when the runtime did not say: isolated in both directions. */
  readonly pod?: { readonly namespace: string; readonly name: string; readonly uid: string };
  /** Host end of the veth; in bridge mode a port of cni0. */
  readonly hostInterface: InterfaceName;
  readonly mode: 'routed' | 'bridge';
  readonly addresses: readonly Ip[];
  /** Of the pod's end. */
  readonly mac: Mac;
}
