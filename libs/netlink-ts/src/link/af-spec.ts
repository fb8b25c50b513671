/**
 * IFLA_AF_SPEC, the per-family part of a link: { AF_INET { IFLA_INET_CONF }, AF_INET6 { … } }. The IPv4 part is how
 * per-device sysctls are set without /proc/sys. The kernel takes no IPv6 sysctls this way except the address mode.
 */
import { type AttributeCodec, NLA_F_NESTED } from '../wire/attribute-codec.ts';
import { attribute, type AttributesOf, attributeTable, encodeAttribute, nested } from '../wire/attribute-table.ts';
import { attributeType, forEachAttribute } from '../wire/attribute-walk.ts';
import { bytes, ipv6, s32, u16, u32, u8 } from '../wire/scalars.ts';
import { struct, type StructOf, u16At, u32At } from '../wire/struct.ts';
import { WireSource } from '../wire/wire-source.ts';
import { AF } from '../rtnetlink/family.ts';

/** Ids of IPv4 per-device sysctls, IPV4_DEVCONF_* (linux/ip.h): the files of /proc/sys/net/ipv4/conf/<device>/. */
export const IPV4_DEVCONF = {
  FORWARDING: 1,
  MC_FORWARDING: 2,
  PROXY_ARP: 3,
  ACCEPT_REDIRECTS: 4,
  SECURE_REDIRECTS: 5,
  SEND_REDIRECTS: 6,
  SHARED_MEDIA: 7,
  RP_FILTER: 8,
  ACCEPT_SOURCE_ROUTE: 9,
  LOG_MARTIANS: 11,
  ARPFILTER: 13,
  ARP_ANNOUNCE: 18,
  ARP_IGNORE: 19,
  PROMOTE_SECONDARIES: 20,
  ARP_ACCEPT: 21,
  ARP_NOTIFY: 22,
  ACCEPT_LOCAL: 23,
  SRC_VMARK: 24,
  PROXY_ARP_PVLAN: 25,
  ROUTE_LOCALNET: 26,
  IGNORE_ROUTES_WITH_LINKDOWN: 29,
  DROP_UNICAST_IN_L2_MULTICAST: 30,
  DROP_GRATUITOUS_ARP: 31,
  BC_FORWARDING: 32,
  ARP_EVICT_NOCARRIER: 33,
} as const;

/** Values by IPV4_DEVCONF id. */
export type Ipv4DevConf = Readonly<Record<number, number>>;

/**
 * The kernel answers with a plain array (value of id i at index i-1) but takes a nest (attribute type = id). The flag
 * bit of the type tells the two apart.
 */
const devConf: AttributeCodec<Ipv4DevConf> = {
  nested: true,
  encode: (writer, conf) => {
    for (const [id, value] of Object.entries(conf)) encodeAttribute(writer, Number(id), s32, value);
  },
  decode: (source, start, end) => {
    const conf: Record<number, number> = {};
    if ((source.u16(start - 2) & NLA_F_NESTED) === 0) {
      for (let at = start, id = 1; at + 4 <= end; at += 4, id++) conf[id] = source.s32(at);
      return conf;
    }
    forEachAttribute(source, start, end, (rawType, from) => {
      conf[attributeType(rawType)] = source.s32(from);
    });
    return conf;
  },
};

/** IFLA_INET6_ADDR_GEN_MODE: how a device makes its link-local address. */
export const IN6_ADDR_GEN_MODE = { EUI64: 0, NONE: 1, STABLE_PRIVACY: 2, RANDOM: 3 } as const;

const inetTable = attributeTable({ conf: attribute(1, devConf) });

/** IFLA_INET6_*: settable are `addrGenMode` and `token`; the rest is for reading. */
const inet6Table = attributeTable({
  /** IF_READY and others (net/if_inet6.h). */
  flags: attribute(1, u32),
  /** Values by DEVCONF id of linux/ipv6.h, 32 bits each. */
  conf: attribute(2, bytes),
  cacheInfo: attribute(
    5,
    struct(16, { maxReasmLen: u32At(0), tstamp: u32At(4), reachableTimeMs: u32At(8), retransTimeMs: u32At(12) }),
  ),
  token: attribute(7, ipv6),
  addrGenMode: attribute(8, u8),
  raMtu: attribute(9, u32),
});

export const afSpecTable = attributeTable({
  inet: attribute(AF.INET, nested(inetTable)),
  inet6: attribute(AF.INET6, nested(inet6Table)),
});

export type AfSpec = AttributesOf<typeof afSpecTable>;

const IFLA_BRIDGE_FLAGS = 0;
const IFLA_BRIDGE_MODE = 1;
const IFLA_BRIDGE_VLAN_INFO = 2;

/** One VLAN of a bridge port (struct bridge_vlan_info). `flags`: 1 master, 2 PVID, 4 untagged, 8/16 range begin/end. */
const vlanInfo = struct(4, { flags: u16At(0), vid: u16At(2) });

const bridgeScalarTable = attributeTable({
  /** BRIDGE_FLAGS_*: 1 the request is for the bridge, 2 for the port. */
  flags: attribute(IFLA_BRIDGE_FLAGS, u16),
  /** BRIDGE_MODE_*: VEB 0, VEPA 1. */
  mode: attribute(IFLA_BRIDGE_MODE, u16),
});

/** IFLA_AF_SPEC of an AF_BRIDGE message: IFLA_BRIDGE_* without a family level; one IFLA_BRIDGE_VLAN_INFO per VLAN. */
export type BridgeAfSpec = AttributesOf<typeof bridgeScalarTable> & {
  readonly vlans?: readonly StructOf<typeof vlanInfo>[];
};

export const bridgeAfSpec: AttributeCodec<BridgeAfSpec> = {
  nested: true,
  encode: (writer, value) => {
    bridgeScalarTable.encode(writer, value);
    for (const vlan of value.vlans ?? []) encodeAttribute(writer, IFLA_BRIDGE_VLAN_INFO, vlanInfo, vlan);
  },
  decode: (source, start, end) => {
    const { unknown = [], ...scalars } = bridgeScalarTable.decode(source, start, end);
    const vlans = unknown.filter(({ type }) => attributeType(type) === IFLA_BRIDGE_VLAN_INFO);
    const rest = unknown.filter(({ type }) => attributeType(type) !== IFLA_BRIDGE_VLAN_INFO);
    return {
      ...scalars,
      ...(vlans.length > 0 && {
        vlans: vlans.map(({ bytes }) => vlanInfo.decode(new WireSource(bytes), 0, bytes.length)),
      }),
      ...(rest.length > 0 && { unknown: rest }),
    };
  },
};
