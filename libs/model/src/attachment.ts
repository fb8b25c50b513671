import type { InterfaceAddress, InterfaceName, Ip, Mac } from 'net-types';

/**
 * What the CNI plugin records of each ADD, so that the node agent can repair a pod's routes and neighbours and knows
 * who owns an address. Stored as JSON, one file an attachment, under <stateDir>/attachments/.
 */
export interface Attachment {
  readonly network: string;
  readonly containerId: string;
  readonly containerInterface: InterfaceName;
  /** Path of the pod's namespace as the runtime gave it. */
  readonly netns: string;
  readonly mode: 'routed' | 'bridge';
  readonly hostInterface: InterfaceName;
  readonly hostMac: Mac;
  readonly containerMac: Mac;
  readonly addresses: readonly InterfaceAddress[];
  /** Default gateways inside the pod, one a family. */
  readonly gateways: readonly Ip[];
  readonly mtuBytes: number;
  /** Boot in which it was made: /proc/sys/kernel/random/boot_id. */
  readonly bootId: string;
  /** CNI_ARGS K8S_POD_NAMESPACE/NAME/UID when given; for people, never for decisions. */
  readonly pod?: { readonly namespace: string; readonly name: string; readonly uid: string };
}
