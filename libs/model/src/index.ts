export type { Attachment } from './attachment.ts';
export type { IpPath } from './ip-path.ts';
export { type LabelRequirement, type Labels, type LabelSelector, selects } from './label-selector.ts';
export type { BackendConf, HostGwConf, NetConf, VxlanConf } from './net-conf.ts';
export type { LinkChange, NetworkOperation, NetworkOperationType, RouteKey } from './network-operation.ts';
export type {
  ActualAddress,
  ActualFdbEntry,
  ActualLink,
  ActualNeighbour,
  ActualNexthop,
  ActualProxy,
  ActualRoute,
  ActualSysctl,
  ActualVxlan,
  NetworkSnapshot,
  OtherTarget,
} from './network-snapshot.ts';
export type {
  DesiredAddress,
  DesiredFdbEntry,
  DesiredLink,
  DesiredNeighbour,
  DesiredNexthop,
  DesiredPort,
  DesiredProxy,
  DesiredRoute,
  DesiredSysctl,
  NetworkState,
  RouteTarget,
  SysctlName,
  VxlanLink,
} from './network-state.ts';
export type {
  NetworkPolicy,
  PolicyPeer,
  PolicyPort,
  PolicyProblem,
  PolicyProtocol,
  PolicyRule,
} from './network-policy.ts';
export type { Peer, PeerEndpoint } from './node.ts';
export type { NodeIdentity } from './node-identity.ts';
export {
  BRIDGE_NAME,
  HOST_VETH_PREFIX,
  LINK_ALIAS,
  NETWORK_NFT_TABLE,
  NEXTHOP_ID_COUNT,
  NEXTHOP_ID_FIRST,
  NODE_ROUTE_PROTOCOL,
  POD_ROUTE_PROTOCOL,
  POLICY_NFT_TABLE,
} from './ownership.ts';
export type { NamedPort, PolicyEndpoint, PolicyNamespace, PolicyPod } from './policy-pod.ts';
export type { TrafficChain, TrafficMatch, TrafficRule, TrafficTable, TrafficVerdict } from './traffic-rules.ts';
export { minimumMtuBytes, vxlanOverheadBytes } from './vxlan-mtu.ts';
