/** Requests about sets, maps and their elements; those that change something go through `changeNftables`. */
import type { NetlinkConnection } from '../connection/connection.ts';
import { errnoNumber } from '../connection/errno.ts';
import { NetlinkError } from '../connection/netlink-error.ts';
import type { NetlinkRequest } from '../connection/request.ts';
import { NLA_F_NESTED } from '../wire/attribute-codec.ts';
import { NLM_F } from '../wire/message.ts';
import { WireWriter } from '../wire/wire-writer.ts';
import {
  elementListCodec,
  elementTable,
  NFTA_LIST_ELEM,
  NFTA_SET_ELEM_LIST_ELEMENTS,
  type NftElement,
} from './element.ts';
import { findNft, nftChange, nftQuery, nftType } from './message.ts';
import { NFT_MSG } from './message-types.ts';
import { type NftSet, setCodec, type NftSetInput } from './set.ts';

/** A set is known by its table's family (NFPROTO) and name and by its own name. */
export interface NftSetKey {
  readonly family: number;
  readonly table: string;
  readonly name: string;
}

/** Names a set for its elements. An anonymous one, whose name the kernel chooses, by its id within the transaction. */
export interface NftSetRef extends NftSetKey {
  readonly id?: number | undefined;
}

/** Makes the set or map. One of the same kind may be there and stays as it is; one of another kind is EEXIST. */
export function newNftSet(set: NftSetInput): NetlinkRequest {
  return nftChange('new nft set', NFT_MSG.NEWSET, NLM_F.CREATE, setCodec, set);
}

/** Deletes the set with its elements. EBUSY when a rule refers to it, ENOENT when there is none. */
export function delNftSet(set: NftSetKey): NetlinkRequest {
  return nftChange('delete nft set', NFT_MSG.DELSET, 0, setCodec, set);
}

/** Deletes all elements of the set. */
export function flushNftSet({ family, table, name }: NftSetKey): NetlinkRequest {
  return nftChange('flush nft set', NFT_MSG.DELSETELEM, 0, elementListCodec, { family, table, set: name });
}

/**
 * Adds elements, in as few messages as hold them. One that is there already stays as it is, unless it is to have other
 * data: EEXIST, EBUSY of older kernels. More than the set's size is ENFILE.
 */
export function newNftElements(set: NftSetRef, elements: Iterable<NftElement>): NetlinkRequest[] {
  return elementRequests('new nft elements', NFT_MSG.NEWSETELEM, NLM_F.CREATE, set, elements);
}

/** Deletes elements, by key (and keyEnd, and flags). ENOENT when one is not there. */
export function delNftElements(set: NftSetRef, elements: Iterable<NftElement>): NetlinkRequest[] {
  return elementRequests('delete nft elements', NFT_MSG.DELSETELEM, 0, set, elements);
}

/** The sets of every table of one family, or of one table. */
export function listNftSets(
  connection: NetlinkConnection,
  filter: { readonly family: number; readonly table?: string },
): NftSet[] {
  return connection.dump(nftQuery('list nft sets', NFT_MSG.GETSET, setCodec, filter));
}

/** The set, or undefined; also when its table does not exist. */
export function findNftSet(connection: NetlinkConnection, key: NftSetKey): NftSet | undefined {
  return findNft(connection, nftQuery('get nft set', NFT_MSG.GETSET, setCodec, key));
}

const LIST_ATTEMPTS = 10;

/**
 * The elements of a set, in no particular order, all of one moment. Throws a NetlinkError: ENOENT when there is no such
 * set, EINTR when somebody committed a transaction during each of ten attempts.
 */
export function listNftElements(connection: NetlinkConnection, { family, table, name }: NftSetKey): NftElement[] {
  const query = nftQuery('list nft elements', NFT_MSG.GETSETELEM, elementListCodec, { family, table, set: name });
  for (let attempt = 1; attempt <= LIST_ATTEMPTS; attempt++) {
    const lists = connection.dump(query);
    // The kernel marks no dump of elements as inconsistent, but each message has the generation (16 bits) it was made in.
    if (lists.every(({ resourceId }) => resourceId === lists[0]?.resourceId)) {
      return lists.flatMap(({ elements = [] }) => elements);
    }
  }
  const cause = new Error(`nf_tables changed during each of ${LIST_ATTEMPTS} listings of ${name}`);
  throw new NetlinkError({ operation: query.operation, errno: errnoNumber('EINTR'), cause });
}

/** The element with that key; undefined when there is none. Of an interval set, the interval that the key lies in. */
export function findNftElement(
  connection: NetlinkConnection,
  { family, table, name }: NftSetKey,
  element: Pick<NftElement, 'key' | 'keyEnd' | 'flags'>,
): NftElement | undefined {
  const asked = { family, table, set: name, elements: [element] };
  const found = findNft(connection, nftQuery('get nft element', NFT_MSG.GETSETELEM, elementListCodec, asked));
  return found?.elements?.[0];
}

/** What the attribute with the elements of one message holds: nla_len is a u16 and counts its header of four. */
const LIST_MAX_BYTES = 0xffff - 4;

/** The elements are encoded here and now, once, however often the requests are sent. */
function elementRequests(
  operation: string,
  message: number,
  flags: number,
  set: NftSetRef,
  elements: Iterable<NftElement>,
): NetlinkRequest[] {
  const { family, table, name, id } = set;
  const head = { family, table, set: name, ...(id === undefined ? {} : { setId: id }) };
  return elementLists(elements).map((list) => ({
    operation: `${operation} of ${name}`,
    type: nftType(message),
    flags,
    writeBody: (writer) => {
      elementListCodec.encode(writer, head);
      const mark = writer.beginAttribute(NFTA_SET_ELEM_LIST_ELEMENTS | NLA_F_NESTED);
      writer.bytes(list);
      writer.endAttribute(mark);
    },
  }));
}

/** Encoded elements one behind the other, as many together as one attribute holds. */
function elementLists(elements: Iterable<NftElement>): Uint8Array[] {
  const lists: Uint8Array[] = [];
  const writer = new WireWriter();
  let start = 0;
  for (const element of elements) {
    const at = writer.length;
    const mark = writer.beginAttribute(NFTA_LIST_ELEM | NLA_F_NESTED);
    elementTable.encode(writer, element);
    writer.endAttribute(mark);
    if (writer.length - start > LIST_MAX_BYTES) {
      lists.push(writer.written.subarray(start, at));
      start = at;
    }
  }
  if (writer.length > start) lists.push(writer.written.subarray(start));
  return lists;
}
