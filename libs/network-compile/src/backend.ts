import type {
  DesiredAddress,
  DesiredFdbEntry,
  DesiredLink,
  DesiredNeighbour,
  DesiredSysctl,
  IpPath,
  NetConf,
  Peer,
  PeerEndpoint,
} from '@canal/model';
import type { Cidr, InterfaceName, Ip, IpFamily } from 'net-types';
import type { KernelFacts, OwnFamily } from './compile-input.ts';
import type { NetworkProblem } from './problem.ts';

/** What one backend wants in the kernel, one address family at a time. A new backend is a file and a row of BACKENDS. */
export interface Backend {
  /** flannel's name, as backend-type annotations carry it. */
  readonly type: string;
  /** Whether the way to a peer depends on this node's routing tables. */
  needsPaths(conf: NetConf): boolean;
  /** Called when this node announces the backend or a peer does; then the receiving side must be there. */
  compile(context: BackendContext, peers: readonly UsablePeer[]): BackendPart;
}

export interface BackendContext {
  readonly nodeName: string;
  readonly own: OwnFamily;
  readonly conf: NetConf;
  readonly kernel: KernelFacts;
  /** This node announces the backend; otherwise it only serves peers that do. */
  readonly announced: boolean;
  /** Some peers are reached by another backend, so packets may come in by another device than answers leave by. */
  readonly mixed: boolean;
  pathTo(ip: Ip): IpPath | undefined;
}

/** A peer in one family, after the checks that hold for every backend. */
export interface UsablePeer {
  readonly peer: Peer;
  readonly endpoint: PeerEndpoint;
}

export interface BackendPart {
  readonly links: readonly DesiredLink[];
  readonly addresses: readonly DesiredAddress[];
  readonly neighbours: readonly DesiredNeighbour[];
  readonly fdb: readonly DesiredFdbEntry[];
  readonly hops: readonly Hop[];
  readonly sysctls: readonly DesiredSysctl[];
  readonly problems: readonly NetworkProblem[];
  /** What fits through this backend. */
  readonly mtuBytes: number;
  /** Set when this node announces the backend: the vxlan data of its annotation. */
  readonly vtep?: PeerEndpoint['vtep'];
}

/** Packets for the destination go to the gateway; compile-network says it with nexthop objects or without. */
export interface Hop {
  readonly family: IpFamily;
  readonly destination: Cidr;
  readonly gateway: Ip;
  readonly link: InterfaceName;
  readonly onlink: boolean;
}
