import type { InterfaceName } from 'net-types';

/** Something of somebody else's stands where ours should be. It is left alone and reported. */
export interface NetworkConflict {
  readonly code: NetworkConflictCode;
  /** What the conflict is about, such as `route 10.244.2.0/24`: stable over turns. */
  readonly subject: string;
  readonly message: string;
  readonly cure: string;
  readonly link?: InterfaceName;
}

export type NetworkConflictCode =
  /** A device of another kind has our device's name. */
  | 'LinkTaken'
  /** Somebody else's route has our destination and metric. */
  | 'RouteTaken'
  /** Somebody else's nexthop object has our id. */
  | 'NexthopTaken'
  /** A switch on a device that is not ours has a value that loses packets. */
  | 'SysctlDiffers';
