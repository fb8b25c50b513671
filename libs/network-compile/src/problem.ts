import type { IpFamily } from 'net-types';

/** Something that keeps a peer, or this node, from being reached as configured; worded for whoever has to cure it. */
export interface NetworkProblem {
  readonly code: NetworkProblemCode;
  /** error: traffic does not flow; warning: it does, but not as somebody intended. */
  readonly severity: 'error' | 'warning';
  /** Name of the peer it is about; absent when it is this node. */
  readonly peer?: string;
  readonly family?: IpFamily;
  readonly message: string;
  readonly cure: string;
}

export type NetworkProblemCode =
  | 'UnsupportedBackend'
  | 'SubnetOutsideNetwork'
  | 'SubnetOverlapsHost'
  | 'DuplicateLease'
  | 'InvalidPublicIp'
  | 'DuplicatePublicIp'
  | 'InvalidVtep'
  | 'DuplicateVtepMac'
  | 'InvalidVni'
  | 'VniMismatch'
  | 'PeerNotAdjacent'
  | 'PublicIpNotLocal'
  | 'MtuTooSmall'
  | 'MtuAboveInterface'
  | 'DuplicatePodAddress';
