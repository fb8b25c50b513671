/**
 * The few things that ADD asks of a link. A whole link has seventy attributes; to read them for the first time in its
 * life costs a process half a millisecond for each of the calls, a tenth of all that ADD takes.
 */
import {
  attributeType,
  forEachAttribute,
  isNotFound,
  linkCodec,
  type MessageFrame,
  type NetlinkConnection,
  type NetlinkQuery,
  RTEXT_FILTER,
  RTM,
} from 'netlink-ts';
import { type InterfaceName, type Mac, macFromBytes } from 'net-types';

export interface LinkGlance {
  readonly index: number;
  /** IFF_*. */
  readonly flags: number;
  /** `bridge`, `veth`, …; absent for physical devices. */
  readonly kind?: string;
  readonly mac?: Mac;
  readonly mtu?: number;
  /** BR_STATE_* of a bridge's port. */
  readonly portState?: number;
}

/** struct ifinfomsg: index at 4, flags at 8, attributes from 16 on. */
const IFI = { index: 4, flags: 8, bytes: 16 };
/** linux/if_link.h: IFLA_*, IFLA_INFO_*, IFLA_BRPORT_*. */
const IFLA = { address: 1, mtu: 4, linkInfo: 18 };
const IFLA_INFO = { kind: 1, slaveData: 5 };
const IFLA_BRPORT_STATE = 1;

/** Undefined when there is no such link. */
export function glanceLink(netlink: NetlinkConnection, name: InterfaceName): LinkGlance | undefined {
  try {
    return netlink.get(linkQuery(name, decodeGlance));
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Throws NetlinkError when there is no such link. */
export function linkIndex(netlink: NetlinkConnection, name: InterfaceName): number {
  return netlink.get(linkQuery(name, (frame) => frame.source.s32(frame.payloadStart + IFI.index)));
}

function linkQuery<T>(name: InterfaceName, decode: (frame: MessageFrame) => T): NetlinkQuery<T> {
  return {
    operation: 'get link',
    type: RTM.GETLINK,
    flags: 0,
    writeBody: (writer) => {
      linkCodec.encode(writer, { name, extMask: RTEXT_FILTER.SKIP_STATS });
    },
    decode,
  };
}

function decodeGlance({ source, payloadStart, payloadEnd }: MessageFrame): LinkGlance {
  const glance: { -readonly [K in keyof LinkGlance]: LinkGlance[K] } = {
    index: source.s32(payloadStart + IFI.index),
    flags: source.u32(payloadStart + IFI.flags),
  };
  forEachAttribute(source, payloadStart + IFI.bytes, payloadEnd, (rawType, start, end) => {
    const type = attributeType(rawType);
    if (type === IFLA.mtu) glance.mtu = source.u32(start);
    if (type === IFLA.address) {
      const mac = macFromBytes(source.copy(start, end));
      if (mac !== undefined) glance.mac = mac;
    }
    if (type !== IFLA.linkInfo) return;
    forEachAttribute(source, start, end, (rawInfo, from, to) => {
      const info = attributeType(rawInfo);
      if (info === IFLA_INFO.kind) glance.kind = source.text(from, to);
      if (info !== IFLA_INFO.slaveData) return;
      forEachAttribute(source, from, to, (rawPort, at) => {
        if (attributeType(rawPort) === IFLA_BRPORT_STATE) glance.portState = source.u8(at);
      });
    });
  });
  return glance;
}
