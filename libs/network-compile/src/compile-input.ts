import type { IpPath, NetConf, NetworkState, Peer } from '@canal/model';
import type { Cidr, InterfaceName, Ip, IpFamily, Mac, Port, Vni } from 'net-types';
import type { NetworkProblem } from './problem.ts';

/** Everything that decides a node's network. Looked up beforehand: compiling asks nobody. */
export interface CompileInput {
  readonly node: OwnNode;
  readonly conf: NetConf;
  /** The other nodes, in any order; this node among them is passed over by name. */
  readonly peers: readonly Peer[];
  /**
   * How this node reaches the peers' public addresses; `pathsNeeded` says which ones matter. For an address that is
   * missing here the connected networks of the external interface decide.
   */
  readonly paths: ReadonlyMap<Ip, IpPath>;
  readonly kernel: KernelFacts;
}

export interface OwnNode {
  readonly name: string;
  /** One entry an address family in use; an unused family has none. */
  readonly families: readonly OwnFamily[];
  /** Every address of this node, so that a peer cannot pass for us. */
  readonly ownAddresses: readonly Ip[];
  /** Networks that this host itself is in, pods' and tunnels' apart. Default: those of the external interfaces. */
  readonly hostNetworks?: readonly HostNetwork[];
}

export interface HostNetwork {
  readonly link: InterfaceName;
  readonly network: Cidr;
}

export interface OwnFamily {
  readonly family: IpFamily;
  /** External interface. It may differ between the families. */
  readonly link: InterfaceName;
  readonly linkMtuBytes: number;
  /** Address of that interface: source of encapsulated packets, also where the public address is a NAT's. */
  readonly source: Ip;
  readonly onLinkNetworks: readonly Cidr[];
  /** Address that peers send to. */
  readonly publicIp: Ip;
  /** Pod subnet leased by this node. */
  readonly subnet: Cidr;
  /** MAC that this node announced before (annotation) or its device has; a stable one is derived when absent. */
  readonly vtepMac?: Mac;
}

export interface KernelFacts {
  readonly nexthopObjects: boolean;
  /** false where IPv6 is compiled out or ipv6.disable=1: no switch of that family exists then. */
  readonly ipv6: boolean;
  /** Ids within canal's range that somebody else's nexthop objects hold. */
  readonly takenNexthopIds?: ReadonlySet<number>;
  /** Ports of existing devices of ours: for one whose backend net-conf no longer names but a peer still announces. */
  readonly vxlanPorts?: ReadonlyMap<Vni, Port>;
}

export interface CompiledNetwork {
  readonly state: NetworkState;
  readonly problems: readonly NetworkProblem[];
  /** MTU for pods and subnet.env: what fits through every way out that is in use, in all families. */
  readonly podMtuBytes: number;
  /** This node as its annotations must tell it. */
  readonly announcement: Peer;
}
