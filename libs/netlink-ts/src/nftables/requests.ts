/** Requests to nf_tables. The kernel takes those that change something only inside a transaction: `changeNftables`. */
import type { NetlinkConnection } from '../connection/connection.ts';
import type { NetlinkRequest } from '../connection/request.ts';
import { NFNL_SUBSYS, NFPROTO } from '../nfnetlink/header.ts';
import { runTransaction, type TransactionOptions } from '../nfnetlink/transaction.ts';
import { NLM_F } from '../wire/message.ts';
import { type NftChain, chainCodec, type NftChainInput } from './chain.ts';
import { generationCodec } from './generation.ts';
import { findNft, nftChange, nftQuery } from './message.ts';
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
  return nftChange('new nft table', NFT_MSG.NEWTABLE, 0, tableCodec, table);
}

/** Deletes the table with all that it holds. ENOENT when there is none. */
export function delNftTable(table: NftTableKey): NetlinkRequest {
  return nftChange('delete nft table', NFT_MSG.DELTABLE, 0, tableCodec, table);
}

/** Makes the chain. One of the same hook, priority and type may be there: it keeps its rules and gets the new policy. */
export function newNftChain(chain: NftChainInput): NetlinkRequest {
  return nftChange('new nft chain', NFT_MSG.NEWCHAIN, NLM_F.CREATE, chainCodec, chain);
}

/** Deletes the chain with its rules. EBUSY when a rule elsewhere refers to it, ENOENT when there is none. */
export function delNftChain(chain: NftChainKey): NetlinkRequest {
  return nftChange('delete nft chain', NFT_MSG.DELCHAIN, 0, chainCodec, chain);
}

/** Adds the rule at the end of its chain; with `position`, behind the rule of that handle. */
export function appendNftRule(rule: NftRuleInput): NetlinkRequest {
  return nftChange('append nft rule', NFT_MSG.NEWRULE, NLM_F.CREATE | NLM_F.APPEND, ruleCodec, rule);
}

/** Adds the rule at the beginning of its chain; with `position`, before the rule of that handle. */
export function insertNftRule(rule: NftRuleInput): NetlinkRequest {
  return nftChange('insert nft rule', NFT_MSG.NEWRULE, NLM_F.CREATE, ruleCodec, rule);
}

/** Deletes one rule. */
export function delNftRule(rule: NftRuleFilter & { readonly chain: string; readonly handle: bigint }): NetlinkRequest {
  return nftChange('delete nft rule', NFT_MSG.DELRULE, 0, ruleCodec, rule);
}

/** Deletes all rules of the chain, or of every chain of the table. The chains stay, and so do their hooks. */
export function flushNftRules(filter: NftRuleFilter): NetlinkRequest {
  return nftChange('flush nft rules', NFT_MSG.DELRULE, 0, ruleCodec, filter);
}

/** The number of the last transaction that anybody committed in this namespace. */
export function getNftGeneration(connection: NetlinkConnection): number {
  return connection.get(nftQuery('get nft generation', NFT_MSG.GETGEN, generationCodec, {})).id ?? 0;
}

/** The table, or undefined. */
export function findNftTable(connection: NetlinkConnection, key: NftTableKey): NftTable | undefined {
  return findNft(connection, nftQuery('get nft table', NFT_MSG.GETTABLE, tableCodec, key));
}

/** Tables of one family (NFPROTO), or of all. */
export function listNftTables(connection: NetlinkConnection, family: number = NFPROTO.UNSPEC): NftTable[] {
  return connection.dump(nftQuery('list nft tables', NFT_MSG.GETTABLE, tableCodec, { family }));
}

/** The chain, or undefined; also when its table does not exist. */
export function findNftChain(connection: NetlinkConnection, key: NftChainKey): NftChain | undefined {
  return findNft(connection, nftQuery('get nft chain', NFT_MSG.GETCHAIN, chainCodec, key));
}

/** The chains of every table of one family, or of all: the kernel knows no narrower choice. */
export function listNftChains(connection: NetlinkConnection, family: number = NFPROTO.UNSPEC): NftChain[] {
  return connection.dump(nftQuery('list nft chains', NFT_MSG.GETCHAIN, chainCodec, { family }));
}

/** The rules of a table or of one of its chains, in their order; none when there is no such table. */
export function listNftRules(connection: NetlinkConnection, filter: NftRuleFilter): NftRule[] {
  return connection.dump(nftQuery('list nft rules', NFT_MSG.GETRULE, ruleCodec, filter));
}
