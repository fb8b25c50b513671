/** The steps of a plan as one transaction. */
import type { TrafficChain, TrafficTable } from '@canal/model';
import {
  appendNftRule,
  changeNftables,
  delNftChain,
  delNftTable,
  flushNftRules,
  type NetlinkConnection,
  type NetlinkRequest,
  newNftChain,
  newNftTable,
  NFPROTO,
} from 'netlink-ts';
import type { TableStep } from './nft-plan.ts';
import { nftRule } from './nft-rules.ts';
import { desiredHook } from './nft-table-image.ts';

/** Throws a NetlinkError; the kernel has changed nothing then. */
export function writeSteps(connection: NetlinkConnection, table: TrafficTable, steps: readonly TableStep[]): void {
  changeNftables(
    connection,
    steps.flatMap((step) => requestsOf(table, step)),
  );
}

function requestsOf(table: TrafficTable, step: TableStep): NetlinkRequest[] {
  const key = { family: NFPROTO.INET, name: table.name };
  switch (step.type) {
    case 'delete-table':
      return [delNftTable(key)];
    case 'new-table':
      return [newNftTable({ ...key, flags: 0 })];
    case 'flush-chain':
      return [flushNftRules({ family: NFPROTO.INET, table: table.name, chain: step.chain })];
    case 'delete-chain':
      return [delNftChain({ family: NFPROTO.INET, table: table.name, name: step.chain })];
    case 'new-chain':
      return [newChain(table, step.chain)];
    case 'fill-chain':
      return chainOf(table, step.chain).rules.map((rule) =>
        appendNftRule({ family: NFPROTO.INET, table: table.name, chain: step.chain, ...nftRule(rule) }),
      );
  }
}

function newChain(table: TrafficTable, name: string): NetlinkRequest {
  const { type, number, priority, policy } = desiredHook(chainOf(table, name));
  return newNftChain({ family: NFPROTO.INET, table: table.name, name, type, hook: { number, priority }, policy });
}

function chainOf(table: TrafficTable, name: string): TrafficChain {
  const chain = table.chains.find((candidate) => candidate.name === name);
  if (chain === undefined) throw new TypeError(`table ${table.name} has no chain ${name}`);
  return chain;
}
