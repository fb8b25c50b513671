/** Requests to nf_tables. The kernel takes those that change something only inside a transaction: `changeNftables`. */
import type { NetlinkConnection } from '../connection/connection.ts';
import { isNotFound } from '../connection/netlink-error.ts';
import type { NetlinkQuery, NetlinkRequest } from '../connection/request.ts';
import { NFNL_SUBSYS, nfnetlinkType, NFPROTO } from '../nfnetlink/header.ts';
import { runTransaction, type TransactionOptions } from '../nfnetlink/transaction.ts';
import { objectQuery, objectRequest } from '../rtnetlink/object-request.ts';
import { NLM_F } from '../wire/message.ts';
import type { ObjectCodec } from '../wire/object-codec.ts';
import { type NftChain, chainCodec, type NftChainInput } from './chain.ts';
import { generationCodec } from './generation.ts';
import { NFT_MSG } from './message-types.ts';
import { type NftRule, ruleCodec, type NftRuleInput } from './rule.ts';
import { type NftTable, tableCodec, type NftTableInput } from './table.ts';

/** A table is known by its family (NFPROTO) and name. */
export interface NftTableKey {
  readonly family: number;
  readonly name: string;
}

export interface NftChainKey {
  readonly family: number;
  readonly table: string;
  readonly name: string;
}

/** Which rules: those of a chain, or of the whole table. */
export interface NftRuleFilter {
  readonly family: number;
  readonly table: string;
  readonly chain?: string;
}

/**
 * Runs the requests as one transaction: all of them take effect at one moment, or none. Throws a NetlinkError that names
 * the first request which was refused.
 */
export function changeNftables(
  connection: NetlinkConnection,
  requests: readonly NetlinkRequest[],
  options: TransactionOptions = {},
): void {
  runTransaction(connection, NFNL_SUBSYS.NFTABLES, requests, options);
}

/** Makes the table; an existing one gets the request's flags, if it has any, and keeps everything else. */
export function newNftTable(table: NftTableInput): NetlinkRequest {
  return change('new nft table', NFT_MSG.NEWTABLE, 0, tableCodec, table);
}

/** Deletes the table with all that it holds. ENOENT when there is none. */
export function delNftTable(table: NftTableKey): NetlinkRequest {
  return change('delete nft table', NFT_MSG.DELTABLE, 0, tableCodec, table);
}

/** Makes the chain. One of the same hook, priority and type may be there: it keeps its rules and gets the new policy. */
export function newNftChain(chain: NftChainInput): NetlinkRequest {
  return change('new nft chain', NFT_MSG.NEWCHAIN, NLM_F.CREATE, chainCodec, chain);
}

/** Deletes the chain with its rules. EBUSY when a rule elsewhere refers to it, ENOENT when there is none. */
export function delNftChain(chain: NftChainKey): NetlinkRequest {
  return change('delete nft chain', NFT_MSG.DELCHAIN, 0, chainCodec, chain);
}

/** Adds the rule at the end of its chain; with `position`, behind the rule of that handle. */
export function appendNftRule(rule: NftRuleInput): NetlinkRequest {
  return change('append nft rule', NFT_MSG.NEWRULE, NLM_F.CREATE | NLM_F.APPEND, ruleCodec, rule);
}

/** Adds the rule at the beginning of its chain; with `position`, before the rule of that handle. */
export function insertNftRule(rule: NftRuleInput): NetlinkRequest {
  return change('insert nft rule', NFT_MSG.NEWRULE, NLM_F.CREATE, ruleCodec, rule);
}

/** Deletes one rule. */
export function delNftRule(rule: NftRuleFilter & { readonly chain: string; readonly handle: bigint }): NetlinkRequest {
  return change('delete nft rule', NFT_MSG.DELRULE, 0, ruleCodec, rule);
}

/** Deletes all rules of the chain, or of every chain of the table. The chains stay, and so do their hooks. */
export function flushNftRules(filter: NftRuleFilter): NetlinkRequest {
  return change('flush nft rules', NFT_MSG.DELRULE, 0, ruleCodec, filter);
}

/** The number of the last transaction that anybody committed in this namespace. */
export function getNftGeneration(connection: NetlinkConnection): number {
  const query = objectQuery('get nft generation', type(NFT_MSG.GETGEN), type(NFT_MSG.NEWGEN), generationCodec, {});
  return connection.get(query).id ?? 0;
}

/** The table, or undefined. */
export function findNftTable(connection: NetlinkConnection, key: NftTableKey): NftTable | undefined {
  return findOne(
    connection,
    objectQuery('get nft table', type(NFT_MSG.GETTABLE), type(NFT_MSG.NEWTABLE), tableCodec, key),
  );
}

/** Tables of one family (NFPROTO), or of all. */
export function listNftTables(connection: NetlinkConnection, family: number = NFPROTO.UNSPEC): NftTable[] {
  const request = { family };
  return connection.dump(
    objectQuery('list nft tables', type(NFT_MSG.GETTABLE), type(NFT_MSG.NEWTABLE), tableCodec, request),
  );
}

/** The chain, or undefined; also when its table does not exist. */
export function findNftChain(connection: NetlinkConnection, key: NftChainKey): NftChain | undefined {
  return findOne(
    connection,
    objectQuery('get nft chain', type(NFT_MSG.GETCHAIN), type(NFT_MSG.NEWCHAIN), chainCodec, key),
  );
}

/** The chains of every table of one family, or of all: the kernel knows no narrower choice. */
export function listNftChains(connection: NetlinkConnection, family: number = NFPROTO.UNSPEC): NftChain[] {
  const request = { family };
  return connection.dump(
    objectQuery('list nft chains', type(NFT_MSG.GETCHAIN), type(NFT_MSG.NEWCHAIN), chainCodec, request),
  );
}

/** The rules of a table or of one of its chains, in their order; none when there is no such table. */
export function listNftRules(connection: NetlinkConnection, filter: NftRuleFilter): NftRule[] {
  return connection.dump(
    objectQuery('list nft rules', type(NFT_MSG.GETRULE), type(NFT_MSG.NEWRULE), ruleCodec, filter),
  );
}

function findOne<T>(connection: NetlinkConnection, query: NetlinkQuery<T>): T | undefined {
  try {
    return connection.get(query);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function change<Input>(
  operation: string,
  message: number,
  flags: number,
  codec: ObjectCodec<unknown, Input>,
  value: Input,
): NetlinkRequest {
  return objectRequest(operation, type(message), flags, codec, value);
}

function type(message: number): number {
  return nfnetlinkType(NFNL_SUBSYS.NFTABLES, message);
}
