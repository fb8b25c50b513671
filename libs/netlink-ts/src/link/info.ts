/**
 * IFLA_LINKINFO: what kind of device it is, and its settings, whose attributes mean something else for every kind:
 *
 *     IFLA_INFO_KIND (1) "vxlan"        IFLA_INFO_DATA (2) { IFLA_VXLAN_* }
 *     IFLA_INFO_SLAVE_KIND (4) "bridge" IFLA_INFO_SLAVE_DATA (5) { IFLA_BRPORT_* }
 */
import type { AttributeCodec, UnknownAttribute } from '../wire/attribute-codec.ts';
import { attribute, attributeTable, encodeAttribute, nested } from '../wire/attribute-table.ts';
import { attributeType, forEachAttribute, writeUnknownAttributes } from '../wire/attribute-walk.ts';
import { cstring } from '../wire/scalars.ts';
import type { WireSource } from '../wire/wire-source.ts';
import type { WireWriter } from '../wire/wire-writer.ts';
import { type BridgeData, bridgeTable } from './bridge.ts';
import { type BridgePortData, bridgePortTable } from './bridge-port.ts';
import { type PeerAttributes, peerTable } from './device-attributes.ts';
import { type LinkHeader, linkHeader } from './header.ts';
import { type TunData, tunTable } from './tun.ts';
import { type VxlanData, vxlanTable } from './vxlan.ts';

/** The other end of a veth, for creation: name, address, MTU, namespace, flags. Kernels never report it. */
export type VethPeer = Partial<LinkHeader> & PeerAttributes;

export interface VethData {
  readonly peer?: VethPeer;
  readonly unknown?: readonly UnknownAttribute[];
}

/** Device kind and settings: `kind` is any text; the field of that name is there if the kind is known here. */
export interface LinkInfo {
  /** `veth`, `bridge`, `vxlan`, `tun`, …; absent for physical devices and loopback. */
  readonly kind?: string;
  readonly veth?: VethData;
  readonly bridge?: BridgeData;
  readonly vxlan?: VxlanData;
  readonly tun?: TunData;
  /** What the master is, for an enslaved device: `bridge`. */
  readonly slaveKind?: string;
  /** The settings of the device as a bridge's port, with `slaveKind` bridge. */
  readonly bridgePort?: BridgePortData;
  /** Everything else, settings of other kinds (types 2 and 5) among it. */
  readonly unknown?: readonly UnknownAttribute[];
}

const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_INFO_SLAVE_KIND = 4;
const IFLA_INFO_SLAVE_DATA = 5;
const VETH_INFO_PEER = 1;

/** VETH_INFO_PEER: struct ifinfomsg followed by attributes. */
const vethPeer: AttributeCodec<VethPeer> = {
  nested: true,
  encode: (writer, value) => {
    linkHeader.encode(writer, value);
    peerTable.encode(writer, value);
  },
  decode: (source, start, end) => {
    const peer = linkHeader.decode(source, start, end);
    peerTable.decode(source, start + linkHeader.bytes, end, peer);
    return peer;
  },
};

const veth = nested(attributeTable({ peer: attribute(VETH_INFO_PEER, vethPeer) }));
const bridge = nested(bridgeTable);
const vxlan = nested(vxlanTable);
const tun = nested(tunTable);
const bridgePort = nested(bridgePortTable);

export const linkInfo: AttributeCodec<LinkInfo> = {
  nested: true,
  encode: (writer, info) => encodeInfo(writer, info),
  decode: (source, start, end) => decodeInfo(source, start, end),
};

type MutableLinkInfo = { -readonly [K in keyof LinkInfo]: LinkInfo[K] };

function encodeInfo(writer: WireWriter, info: LinkInfo): void {
  if (info.kind !== undefined) encodeAttribute(writer, IFLA_INFO_KIND, cstring, info.kind);
  if (info.veth !== undefined) encodeAttribute(writer, IFLA_INFO_DATA, veth, info.veth);
  if (info.bridge !== undefined) encodeAttribute(writer, IFLA_INFO_DATA, bridge, info.bridge);
  if (info.vxlan !== undefined) encodeAttribute(writer, IFLA_INFO_DATA, vxlan, info.vxlan);
  if (info.tun !== undefined) encodeAttribute(writer, IFLA_INFO_DATA, tun, info.tun);
  if (info.slaveKind !== undefined) encodeAttribute(writer, IFLA_INFO_SLAVE_KIND, cstring, info.slaveKind);
  if (info.bridgePort !== undefined) encodeAttribute(writer, IFLA_INFO_SLAVE_DATA, bridgePort, info.bridgePort);
  if (info.unknown !== undefined) writeUnknownAttributes(writer, info.unknown);
}

function decodeInfo(source: WireSource, start: number, end: number): LinkInfo {
  const info: MutableLinkInfo = {};
  // The kinds first: the settings can only be read with them, and no order is promised.
  forEachAttribute(source, start, end, (rawType, from, to) => {
    if (attributeType(rawType) === IFLA_INFO_KIND) info.kind = source.text(from, to);
    if (attributeType(rawType) === IFLA_INFO_SLAVE_KIND) info.slaveKind = source.text(from, to);
  });
  const unknown: UnknownAttribute[] = [];
  forEachAttribute(source, start, end, (rawType, from, to) => {
    const type = attributeType(rawType);
    if (type === IFLA_INFO_KIND || type === IFLA_INFO_SLAVE_KIND) return;
    if (type === IFLA_INFO_SLAVE_DATA && info.slaveKind === 'bridge') {
      info.bridgePort = bridgePort.decode(source, from, to) ?? {};
    } else if (type !== IFLA_INFO_DATA || !decodeKind(info, source, from, to)) {
      unknown.push({ type: rawType, bytes: source.copy(from, to) });
    }
  });
  if (unknown.length > 0) info.unknown = unknown;
  return info;
}

/** False if the kind has no codec here. */
function decodeKind(info: MutableLinkInfo, source: WireSource, start: number, end: number): boolean {
  switch (info.kind) {
    case 'veth':
      info.veth = veth.decode(source, start, end) ?? {};
      return true;
    case 'bridge':
      info.bridge = bridge.decode(source, start, end) ?? {};
      return true;
    case 'vxlan':
      info.vxlan = vxlan.decode(source, start, end) ?? {};
      return true;
    case 'tun':
      info.tun = tun.decode(source, start, end) ?? {};
      return true;
    default:
      return false;
  }
}
