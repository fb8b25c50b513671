import type { Ip, IpFamily, Mac } from 'net-types';
import type { NetlinkConnection } from '../connection/connection.ts';
import type { NetlinkQuery, NetlinkRequest } from '../connection/request.ts';
import { AF, familyNumber, familyOfIp } from '../rtnetlink/family.ts';
import { RTM } from '../rtnetlink/message-types.ts';
import { objectQuery, objectRequest } from '../rtnetlink/object-request.ts';
import { NLM_F } from '../wire/message.ts';
import { NTF } from './flags.ts';
import { type Neighbour, neighbourCodec, type NeighbourInput } from './message.ts';
import { NUD } from './state.ts';

export interface NeighbourFilter {
  readonly family?: IpFamily;
  /** Device. */
  readonly index?: number;
}

export interface FdbFilter {
  /** The device itself: a vxlan device or a bridge's port. */
  readonly index?: number;
  /** All ports of this bridge. */
  readonly master?: number;
}

/** A permanent ARP or ND entry, for a request. */
export function permanentNeighbour(index: number, ip: Ip, mac: Mac): NeighbourInput {
  return { family: familyOfIp(ip), index, state: NUD.PERMANENT, dst: ip, lladdr: mac };
}

/** A permanent forwarding entry of a vxlan device, for a request: frames to `mac` go to `remote`. */
export function vxlanFdbEntry(index: number, mac: Mac, remote: Ip): NeighbourInput {
  return { family: AF.BRIDGE, index, state: NUD.PERMANENT, flags: NTF.SELF, lladdr: mac, dst: remote };
}

/** An address that this node answers for on the device, for a request. `protocol` says who added it, as for routes. */
export function proxyNeighbour(index: number, ip: Ip, protocol: number): NeighbourInput {
  return { family: familyOfIp(ip), index, flags: NTF.PROXY, dst: ip, protocol };
}

/**
 * Adds a neighbour or FDB entry, by default in place of one that is there. A vxlan device may have several remotes
 * for one address: NLM_F.CREATE | NLM_F.APPEND adds one.
 */
export function newNeighbour(neighbour: NeighbourInput, flags: number = NLM_F.CREATE | NLM_F.REPLACE): NetlinkRequest {
  return objectRequest('new neighbour', RTM.NEWNEIGH, flags, neighbourCodec, neighbour);
}

/** Removes the entry with this family, device and address (FDB: link-layer address and, if given, remote). */
export function delNeighbour(neighbour: NeighbourInput): NetlinkRequest {
  return objectRequest('delete neighbour', RTM.DELNEIGH, 0, neighbourCodec, neighbour);
}

/** ARP and ND entries. Those of state NUD_NOARP (multicast, loopback) the kernel made up itself; `ip` hides them. */
export function listNeighbours(connection: NetlinkConnection, filter: NeighbourFilter = {}): Neighbour[] {
  const { family, index } = filter;
  const request: NeighbourInput = { family: familyNumber(family), ...(index !== undefined && { outputIndex: index }) };
  const entries = connection.dump(neighbourQuery('list neighbours', request));
  return entries.filter((entry) => entry.family !== AF.BRIDGE && (index === undefined || entry.index === index));
}

/** Addresses that this node answers for, by device. */
export function listProxies(connection: NetlinkConnection): Neighbour[] {
  const entries = connection.dump(neighbourQuery('list proxies', { family: AF.UNSPEC, flags: NTF.PROXY }));
  return entries.filter(({ flags }) => (flags & NTF.PROXY) !== 0);
}

/** Forwarding entries of bridges and vxlan devices. */
export function listFdb(connection: NetlinkConnection, filter: FdbFilter = {}): Neighbour[] {
  const { index, master } = filter;
  const request: NeighbourInput = {
    family: AF.BRIDGE,
    ...(index !== undefined && { index }),
    ...(master !== undefined && { master }),
  };
  const entries = connection.dump(neighbourQuery('list FDB', request));
  return index === undefined ? entries : entries.filter((entry) => entry.index === index);
}

function neighbourQuery(operation: string, request: NeighbourInput): NetlinkQuery<Neighbour> {
  return objectQuery(operation, RTM.GETNEIGH, RTM.NEWNEIGH, neighbourCodec, request);
}
