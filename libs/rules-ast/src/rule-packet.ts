import type { Ip } from 'net-types';

export type RuleProtocol = 'TCP' | 'UDP' | 'SCTP';

/** IANA protocol numbers of what policy can name. */
export const PROTOCOL_NUMBER: Readonly<Record<RuleProtocol, number>> = { TCP: 6, UDP: 17, SCTP: 132 };

/** Inclusive; 1 <= first <= last <= 65535. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/**
 * The first packet of a flow as policy judges it: after a Service's address was replaced by a pod's, before the source
 * is masqueraded. `protocol` is the IP protocol number; ports exist for TCP, UDP and SCTP.
 */
export interface RulePacket {
  readonly source: Ip;
  readonly destination: Ip;
  readonly protocol: number;
  readonly destinationPort?: number;
}
