import type { Cidr, Ip, IpFamily, Mac, Vni } from 'net-types';

/** What a node says of its backend for one address family: flannel's annotations, parsed. */
export interface PeerEndpoint {
  readonly family: IpFamily;
  /** Address peers send to (public-ip, public-ipv6). */
  readonly publicIp: Ip;
  /** Pod subnet of that family. */
  readonly subnet: Cidr;
  /** vxlan alone: what backend-data or backend-v6-data holds. */
  readonly vtep?: { readonly vni: Vni; readonly mac: Mac };
}

/** Another node of the cluster, or this one, as peers see it. */
export interface Peer {
  readonly name: string;
  /** flannel's backend-type, lower case; peers are reached by the backend they announce. */
  readonly backendType: string;
  readonly endpoints: readonly PeerEndpoint[];
  /** When the node joined (creationTimestamp): of two that claim one subnet the older keeps it. */
  readonly createdMs?: number;
}
