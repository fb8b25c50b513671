import { attribute, type AttributesOf, attributeTable, list, nested } from '../wire/attribute-table.ts';
import { bool8, cstring, mac, s32, u16, u32, u8 } from '../wire/scalars.ts';
import { type AfSpec, afSpecTable } from './af-spec.ts';
import { IFLA } from './constants.ts';
import { linkStatistics } from './statistics.ts';

/** What a device of any kind has: everything but its kind's settings and what depends on the message's family. */
export const deviceAttributes = {
  /** Link-layer address. Six bytes; tunnels have others, kept under `unknown`. */
  address: attribute(IFLA.ADDRESS, mac),
  broadcast: attribute(IFLA.BROADCAST, mac),
  name: attribute(IFLA.IFNAME, cstring),
  mtu: attribute(IFLA.MTU, u32),
  /** Index of the lower device; of a veth's peer; in the namespace `linkNetnsId` if that is given. */
  link: attribute(IFLA.LINK, u32),
  qdisc: attribute(IFLA.QDISC, cstring),
  /** Index of the bridge, bond or VRF that the device belongs to; 0 in a request takes it out. */
  master: attribute(IFLA.MASTER, u32),
  txQueueLen: attribute(IFLA.TXQLEN, u32),
  /** IF_OPER_*. */
  operState: attribute(IFLA.OPERSTATE, u8),
  linkMode: attribute(IFLA.LINKMODE, u8),
  /** Request: move the device into the namespace of this process. */
  netnsPid: attribute(IFLA.NET_NS_PID, u32),
  alias: attribute(IFLA.IFALIAS, cstring),
  numVf: attribute(IFLA.NUM_VF, u32),
  stats64: attribute(IFLA.STATS64, linkStatistics),
  group: attribute(IFLA.GROUP, u32),
  /** Request: move the device into, or create it in, the namespace open as this file descriptor. */
  netnsFd: attribute(IFLA.NET_NS_FD, u32),
  /** Request: RTEXT_FILTER_*. */
  extMask: attribute(IFLA.EXT_MASK, u32),
  promiscuity: attribute(IFLA.PROMISCUITY, u32),
  numTxQueues: attribute(IFLA.NUM_TX_QUEUES, u32),
  numRxQueues: attribute(IFLA.NUM_RX_QUEUES, u32),
  carrier: attribute(IFLA.CARRIER, bool8),
  carrierChanges: attribute(IFLA.CARRIER_CHANGES, u32),
  /** Id of the namespace that `link` is in, as the receiving namespace numbers it. */
  linkNetnsId: attribute(IFLA.LINK_NETNSID, s32),
  physPortName: attribute(IFLA.PHYS_PORT_NAME, cstring),
  protoDown: attribute(IFLA.PROTO_DOWN, bool8),
  gsoMaxSegs: attribute(IFLA.GSO_MAX_SEGS, u32),
  gsoMaxSize: attribute(IFLA.GSO_MAX_SIZE, u32),
  event: attribute(IFLA.EVENT, u32),
  /** In the notification that a device left: id of the namespace that it went to. */
  newNetnsId: attribute(IFLA.NEW_NETNSID, s32),
  /** Work in the namespace with this id instead of the socket's. */
  targetNetnsId: attribute(IFLA.TARGET_NETNSID, s32),
  carrierUpCount: attribute(IFLA.CARRIER_UP_COUNT, u32),
  carrierDownCount: attribute(IFLA.CARRIER_DOWN_COUNT, u32),
  newIndex: attribute(IFLA.NEW_IFINDEX, s32),
  minMtu: attribute(IFLA.MIN_MTU, u32),
  maxMtu: attribute(IFLA.MAX_MTU, u32),
  altNames: attribute(IFLA.PROP_LIST, list(IFLA.ALT_IFNAME, cstring)),
  /** Request: one alternative name to look the device up by; may be longer than 15 bytes. */
  altName: attribute(IFLA.ALT_IFNAME, cstring),
  permAddress: attribute(IFLA.PERM_ADDRESS, mac),
  parentDevName: attribute(IFLA.PARENT_DEV_NAME, cstring),
  parentDevBusName: attribute(IFLA.PARENT_DEV_BUS_NAME, cstring),
  groMaxSize: attribute(IFLA.GRO_MAX_SIZE, u32),
  tsoMaxSize: attribute(IFLA.TSO_MAX_SIZE, u32),
  tsoMaxSegs: attribute(IFLA.TSO_MAX_SEGS, u32),
  allMulti: attribute(IFLA.ALLMULTI, u32),
  gsoIpv4MaxSize: attribute(IFLA.GSO_IPV4_MAX_SIZE, u32),
  groIpv4MaxSize: attribute(IFLA.GRO_IPV4_MAX_SIZE, u32),
  /** The device cannot change its namespace. */
  netnsImmutable: attribute(IFLA.NETNS_IMMUTABLE, bool8),
  headroom: attribute(IFLA.HEADROOM, u16),
  tailroom: attribute(IFLA.TAILROOM, u16),
};

/** Attributes of a veth's peer: a device whose kind is known already. */
export const peerTable = attributeTable({
  ...deviceAttributes,
  afSpec: attribute<AfSpec>(IFLA.AF_SPEC, nested(afSpecTable)),
});

export type PeerAttributes = AttributesOf<typeof peerTable>;
