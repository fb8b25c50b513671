import type { NetworkKernel } from '@canal/kernel-port';
import type { NetworkOperation } from '@canal/model';

/**
 * A machine to test a kernel on, fresh for each test:
 *
 * - `eth0` and `eth1`: up, with carrier, MTU 1500. eth0 has 192.0.2.1/24 and 2001:db8::1/64, eth1 203.0.113.1/24;
 * - a default route of each family through 192.0.2.254 and 2001:db8::fe by eth0;
 * - the loopback device, up. Nothing else.
 */
export interface ContractRig {
  readonly kernel: NetworkKernel;
  /** Performs operations through another kernel object: what the monitor of the first has to tell. */
  bySomebodyElse(...operations: readonly NetworkOperation[]): Promise<void>;
  dispose(): Promise<void>;
}

export type MakeRig = () => Promise<ContractRig>;
