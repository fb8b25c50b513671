/** Requests to the connection tracker (net/netfilter/nf_conntrack_netlink.c), over a socket of NETLINK_NETFILTER. */
import type { IpFamily } from 'net-types';
import type { NetlinkConnection } from '../connection/connection.ts';
import { isNotFound } from '../connection/netlink-error.ts';
import type { NetlinkQuery, NetlinkRequest } from '../connection/request.ts';
import { NFNL_SUBSYS, nfnetlinkType, NFPROTO } from '../nfnetlink/header.ts';
import { objectQuery, objectRequest } from '../rtnetlink/object-request.ts';
import { NLA_F_NESTED } from '../wire/attribute-codec.ts';
import { NLM_F } from '../wire/message.ts';
import { CTA, IPCTNL_MSG_CT } from './constants.ts';
import { type Conntrack, conntrackCodec, type ConntrackInput } from './message.ts';
import type { ScannedKey } from './scan.ts';
import type { ConntrackTuple } from './tuple.ts';

/** All of it is compared by the kernel, that is: what does not match costs no message. */
export interface ConntrackFilter {
  /** Default: both. */
  readonly family?: IpFamily | undefined;
  /** Entries whose mark has these bits of `markMask` (default: all bits). */
  readonly mark?: number;
  readonly markMask?: number;
  /** IPS bits and which of them count. Linux 5.15; older kernels give all. */
  readonly status?: number;
  readonly statusMask?: number;
  /** Linux 6.8; older kernels give those of all zones. */
  readonly zone?: number;
}

/** Which entry: by the tuple of either direction, and the zone that it is in. */
export interface ConntrackKey {
  readonly tuple: ConntrackTuple;
  /** Default: 0. */
  readonly zone?: number | undefined;
}

/** Entries of the namespace; large tables are better read by `dumpByDatagram`. */
export function listConntrack(connection: NetlinkConnection, filter: ConntrackFilter = {}): Conntrack[] {
  return connection.dump(conntrackQuery(filter));
}

/** The question that `listConntrack` asks. */
export function conntrackQuery({ family, ...filter }: ConntrackFilter = {}): NetlinkQuery<Conntrack> {
  const number = family === undefined ? NFPROTO.UNSPEC : family === 4 ? NFPROTO.IPV4 : NFPROTO.IPV6;
  return query('list conntrack', { family: number, ...filter });
}

/** The entry, or undefined. */
export function findConntrack(connection: NetlinkConnection, key: ConntrackKey): Conntrack | undefined {
  try {
    return connection.get(query('get conntrack', keyOf(key)));
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Deletes the entry; ENOENT when there is none, or (with `id`) when another one has its place. */
export function delConntrack(key: ConntrackKey & { readonly id?: number | undefined }): NetlinkRequest {
  const input = key.id === undefined ? keyOf(key) : { ...keyOf(key), id: key.id };
  return objectRequest('delete conntrack', type(IPCTNL_MSG_CT.DELETE), 0, conntrackCodec, input);
}

/**
 * Sets the bits of `mask` in the entry's mark to those of `mark`, in one step: the other bits stay as they are, also
 * when somebody sets one of them meanwhile. ENOENT when there is none. Bits of `mark` outside of `mask` are refused.
 */
export function setConntrackMark(key: ConntrackKey | ScannedKey, mark: number, mask: number): NetlinkRequest {
  // The kernel would flip them: its formula is (old & ~mask) ^ mark.
  if ((mark & ~mask) !== 0) throw new RangeError(`mark 0x${hex(mark)} has bits outside of mask 0x${hex(mask)}`);
  const input = { ...('family' in key ? scannedKeyOf(key) : keyOf(key)), mark, markMask: mask };
  return objectRequest('set conntrack mark', type(IPCTNL_MSG_CT.NEW), 0, conntrackCodec, input);
}

/**
 * Makes an entry, as if its packets had been seen: `family`, `original`, `reply` and `timeout` are needed. EEXIST when one of the
 * tuples is taken.
 */
export function newConntrack(input: ConntrackInput): NetlinkRequest {
  const flags = NLM_F.CREATE | NLM_F.EXCL;
  return objectRequest('new conntrack', type(IPCTNL_MSG_CT.NEW), flags, conntrackCodec, input);
}

function keyOf({ tuple, zone }: ConntrackKey): ConntrackInput {
  const family = tuple.ip?.v4Source === undefined ? NFPROTO.IPV6 : NFPROTO.IPV4;
  return { family, original: tuple, ...(zone !== undefined && zone !== 0 && { zone }) };
}

function scannedKeyOf({ family, tuple }: ScannedKey): ConntrackInput {
  return { family, unknown: [{ type: CTA.TUPLE_ORIG | NLA_F_NESTED, bytes: tuple }] };
}

function query(operation: string, input: ConntrackInput): NetlinkQuery<Conntrack> {
  return objectQuery(operation, type(IPCTNL_MSG_CT.GET), type(IPCTNL_MSG_CT.NEW), conntrackCodec, input);
}

function type(message: number): number {
  return nfnetlinkType(NFNL_SUBSYS.CTNETLINK, message);
}

function hex(value: number): string {
  return (value >>> 0).toString(16);
}
