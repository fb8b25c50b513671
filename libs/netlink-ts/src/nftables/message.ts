import type { NetlinkConnection } from '../connection/connection.ts';
import { isNotFound } from '../connection/netlink-error.ts';
import type { NetlinkQuery, NetlinkRequest } from '../connection/request.ts';
import { NFNL_SUBSYS, nfnetlinkType } from '../nfnetlink/header.ts';
import { objectQuery, objectRequest } from '../rtnetlink/object-request.ts';
import type { ObjectCodec } from '../wire/object-codec.ts';

/** nlmsg_type of a message of nf_tables (NFT_MSG). */
export function nftType(message: number): number {
  return nfnetlinkType(NFNL_SUBSYS.NFTABLES, message);
}

/** A request that changes one object: to be run in a transaction. */
export function nftChange<Input>(
  operation: string,
  message: number,
  flags: number,
  codec: ObjectCodec<unknown, Input>,
  value: Input,
): NetlinkRequest {
  return objectRequest(operation, nftType(message), flags, codec, value);
}

/** A get or dump: `message` asks, the message before it in NFT_MSG answers. */
export function nftQuery<Decoded, Input>(
  operation: string,
  message: number,
  codec: ObjectCodec<Decoded, Input>,
  value: Input,
): NetlinkQuery<Decoded> {
  return objectQuery(operation, nftType(message), nftType(message - 1), codec, value);
}

/** What the query gives, undefined when there is no such object. */
export function findNft<T>(connection: NetlinkConnection, query: NetlinkQuery<T>): T | undefined {
  try {
    return connection.get(query);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
