export { type Acknowledgement, decodeAcknowledgement, type ExtendedAck } from './connection/acknowledgement.ts';
export {
  createNetlinkConnection,
  type NetlinkConnection,
  type NetlinkConnectionOptions,
} from './connection/connection.ts';
export { dumpByDatagram } from './connection/dump-by-datagram.ts';
export { errnoName, errnoNumber } from './connection/errno.ts';
export {
  createNetlinkMonitor,
  type NetlinkMonitor,
  type NetlinkMonitorOptions,
  type ResyncEvent,
} from './connection/monitor.ts';
export {
  isBusy,
  isExists,
  isNotFound,
  isNotSupported,
  isRetriable,
  NetlinkError,
  type NetlinkErrorDetails,
} from './connection/netlink-error.ts';
export type { NetlinkQuery, NetlinkRequest } from './connection/request.ts';
export type { NetlinkEventTransport, NetlinkTransport, WireTrace } from './connection/transport.ts';
export { formatWireDump } from './connection/wire-dump.ts';

export { IFA_F, RT_SCOPE } from './address/constants.ts';
export { type Address, addressCodec, type AddressInput, interfaceAddressOf } from './address/message.ts';
export { type AddressFilter, addressInput, delAddress, listAddresses, newAddress } from './address/requests.ts';

export { IPS, TCP_CONNTRACK } from './conntrack/constants.ts';
export { type ConntrackEvent, createConntrackMonitor, decodeConntrackEvent } from './conntrack/events.ts';
export { type Conntrack, conntrackCodec, type ConntrackInput } from './conntrack/message.ts';
export {
  type ConntrackFilter,
  type ConntrackKey,
  conntrackQuery,
  delConntrack,
  findConntrack,
  listConntrack,
  newConntrack,
  setConntrackMark,
} from './conntrack/requests.ts';
export { ConntrackScan, type ScannedKey, type TupleScan } from './conntrack/scan.ts';
export {
  conntrackTuple,
  type ConntrackTuple,
  tupleDestination,
  type TupleProtocol,
  tupleSource,
} from './conntrack/tuple.ts';

export { type AfSpec, type BridgeAfSpec, IN6_ADDR_GEN_MODE, IPV4_DEVCONF, type Ipv4DevConf } from './link/af-spec.ts';
export type { BridgeData } from './link/bridge.ts';
export type { BridgePortData } from './link/bridge-port.ts';
export { ARPHRD, IF_OPER, IFF, RTEXT_FILTER } from './link/constants.ts';
export type { LinkInfo, VethData, VethPeer } from './link/info.ts';
export { type Link, linkCodec, type LinkInput } from './link/message.ts';
export {
  delLink,
  findLink,
  findLinkIndex,
  getLink,
  type LinkFilter,
  type LinkSelector,
  listBridgePorts,
  listLinks,
  newAltName,
  newLink,
  setLink,
} from './link/requests.ts';
export type { LinkStatistics } from './link/statistics.ts';
export type { TunData } from './link/tun.ts';
export type { VxlanData } from './link/vxlan.ts';

export { NTF, NTF_EXT } from './neighbour/flags.ts';
export { type Neighbour, neighbourCodec, type NeighbourInput } from './neighbour/message.ts';
export {
  delNeighbour,
  type FdbFilter,
  listFdb,
  listNeighbours,
  listProxies,
  type NeighbourFilter,
  newNeighbour,
  permanentNeighbour,
  proxyNeighbour,
  vxlanFdbEntry,
} from './neighbour/requests.ts';
export { NUD } from './neighbour/state.ts';

export { type NetnsId, netnsIdCodec, type NetnsIdInput } from './netns-id/message.ts';
export { getNetnsId, listNetnsIds, newNetnsId } from './netns-id/requests.ts';

export type { NexthopGroupEntry } from './nexthop/attributes.ts';
export { type Nexthop, nexthopCodec, type NexthopInput } from './nexthop/message.ts';
export { delNexthop, getNexthop, listNexthops, newNexthop, type NexthopFilter } from './nexthop/requests.ts';

export { NF_INET, NFNL_SUBSYS, NFNLGRP, NFPROTO } from './nfnetlink/header.ts';
export type { TransactionOptions } from './nfnetlink/transaction.ts';

export { bindNflogGroup, type NflogSettings, unbindNflogGroup } from './nflog/config.ts';
export { createNflogMonitor, type NflogEvent, type NflogMonitorOptions, type NflogTransport } from './nflog/monitor.ts';
export { type NflogPacket, nflogPacketCodec } from './nflog/packet.ts';
export { ETHERTYPE, type PacketHeader, parsePacketHeader } from './nflog/packet-header.ts';

export {
  NF_ARP,
  NF_BR_PRI,
  NF_IP_PRI,
  NF_NETDEV,
  type NftChain,
  type NftChainInput,
  type NftHook,
} from './nftables/chain.ts';
export { readNftables, updateNftables } from './nftables/consistency.ts';
export { NFT_DATATYPES, type NftDatatypeName, type NftKeyType } from './nftables/datatype.ts';
export { NFT_SET_ELEM, type NftElement, type NftElementList } from './nftables/element.ts';
export { createNftMonitor, decodeNftEvent, type NftEvent, type NftMonitorOptions } from './nftables/events.ts';
export { NFT_BITWISE } from './nftables/expression/bitwise.ts';
export { NFT_BYTEORDER } from './nftables/expression/byteorder.ts';
export { NFT_CMP } from './nftables/expression/cmp.ts';
export { CT_STATE, CT_STATUS, NFT_CT } from './nftables/expression/ct.ts';
export { NFT_VERDICT, type NftData, type NftVerdict } from './nftables/expression/data.ts';
export { NFT_DYNSET } from './nftables/expression/dynset.ts';
export type { KnownNftExpression, NftExpression, OtherNftExpression } from './nftables/expression/expression.ts';
export { NFT_EXTHDR_F_PRESENT, NFT_EXTHDR_OP } from './nftables/expression/exthdr.ts';
export { NFT_FIB_F, NFT_FIB_RESULT } from './nftables/expression/fib.ts';
export { NFT_LIMIT, NFT_LIMIT_F_INV } from './nftables/expression/limit.ts';
export { NFT_LOOKUP_F_INV } from './nftables/expression/lookup.ts';
export { NF_NAT_RANGE } from './nftables/expression/masquerade.ts';
export { NFT_META } from './nftables/expression/meta.ts';
export { NFT_NG } from './nftables/expression/numgen.ts';
export { NFT_PAYLOAD } from './nftables/expression/payload.ts';
export { NFT_RANGE } from './nftables/expression/range.ts';
export { NFT_REG } from './nftables/expression/registers.ts';
export { NFT_REJECT } from './nftables/expression/reject.ts';
export { NFT_FIELD, type NftField } from './nftables/field.ts';
export type { NftGeneration } from './nftables/generation.ts';
export { cidrRange, intervalElements, type NftKeyRange, portRange } from './nftables/interval.ts';
export { elementKey, interfaceNameBytes, portBytes, verdictData } from './nftables/key.ts';
export {
  matchEtherDestination,
  matchPacketType,
  PACKET_TYPE,
  setEtherDestination,
  setPacketType,
} from './nftables/link-statements.ts';
export {
  delNftCounter,
  listNftCounters,
  newNftCounter,
  type NftCounter,
  type NftCounterInput,
  type NftCounterKey,
} from './nftables/counter-requests.ts';
export { NFT_MSG } from './nftables/message-types.ts';
export {
  appendNftRule,
  changeNftables,
  delNftChain,
  delNftRule,
  delNftTable,
  findNftChain,
  findNftTable,
  flushNftRules,
  getNftGeneration,
  insertNftRule,
  listNftChains,
  listNftRules,
  listNftTables,
  newNftChain,
  newNftTable,
  type NftChainKey,
  type NftRuleFilter,
  type NftTableKey,
} from './nftables/requests.ts';
export type { NftObject } from './nftables/object.ts';
export { type NftRule, ruleCodec as nftRuleCodec, type NftRuleInput } from './nftables/rule.ts';
export { type NftRuleContent, nftRuleText } from './nftables/rule-text.ts';
export { NFT_DATA_VERDICT, NFT_SET, type NftSet, type NftSetInput } from './nftables/set.ts';
export { nftSet, type NftSetDefinition } from './nftables/set-definition.ts';
export {
  delNftElements,
  delNftSet,
  findNftElement,
  findNftSet,
  flushNftSet,
  listNftElements,
  listNftSets,
  newNftElements,
  newNftSet,
  type NftSetKey,
  type NftSetRef,
} from './nftables/set-requests.ts';
export { matchSet, type NftSetName, updateSet, verdictMap } from './nftables/set-statements.ts';
export {
  counter,
  goto,
  jump,
  masquerade,
  matchAddress,
  matchAddressType,
  matchCtDirection,
  matchCtMark,
  matchCtProtocol,
  matchCtState,
  matchCtStatus,
  matchEtherType,
  matchExtensionHeader,
  matchFamily,
  matchIcmpType,
  matchInterface,
  matchInterfaceIndex,
  matchInterfaceKind,
  matchMark,
  matchPort,
  matchProtocol,
  matchReversePath,
  matchTcpFlags,
  namedCounter,
  notrack,
  verdict,
} from './nftables/statements.ts';
export { NFT_TABLE_F, type NftTable, type NftTableInput } from './nftables/table.ts';
export {
  limitRate,
  logToGroup,
  type NflogOptions,
  type RateLimit,
  sample,
  setCtMark,
  setMark,
} from './nftables/traffic-statements.ts';
export {
  type NftObjectEvent,
  type NftTransactionOptions,
  type NftTransactionReader,
  nftTransactions,
  tableOfNftEvent,
} from './nftables/transactions.ts';
export { commentOf, commentUserData, setCommentOf } from './nftables/user-data.ts';

export { RT_TABLE, RTM_F, RTN, RTNH_F, RTPROT } from './route/constants.ts';
export { type Route, routeCodec, routeDestination, type RouteInput, routeTableOf, routeTo } from './route/message.ts';
export { type RouteMetrics, RTAX_LOCK_MTU } from './route/metrics.ts';
export type { NextHop } from './route/multipath.ts';
export { delRoute, listRoutes, lookUpRoute, newRoute, type RouteFilter } from './route/requests.ts';

export { createRtnetlinkMonitor, decodeRtnetlinkEvent, type RtnetlinkEvent } from './rtnetlink/events.ts';
export { AF, familyNumber, familyOfIp } from './rtnetlink/family.ts';
export { RTM, RTNLGRP } from './rtnetlink/message-types.ts';

export { FIB_RULE, FR_ACT } from './rule/constants.ts';
export { type Rule, ruleCodec, type RuleInput } from './rule/message.ts';
export { delRule, listRules, newRule } from './rule/requests.ts';

export { NLA_F_NESTED, NLA_F_NET_BYTEORDER, type UnknownAttribute } from './wire/attribute-codec.ts';
export { attributeType, forEachAttribute } from './wire/attribute-walk.ts';
export { DecodeError } from './wire/decode-error.ts';
export { forEachMessage, type MessageFrame, NLM_F, NLMSG } from './wire/message.ts';
export type { ObjectCodec } from './wire/object-codec.ts';
export { WireSource } from './wire/wire-source.ts';
export { WireWriter } from './wire/wire-writer.ts';
