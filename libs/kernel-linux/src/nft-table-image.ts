/** One table as text and numbers, alike for what is wanted and for what the kernel has: to compare one with the other. */
import type { TrafficChain, TrafficTable } from '@canal/model';
import { NF_INET, NFT_VERDICT, type NftChain, nftRuleText } from 'netlink-ts';
import { createHash } from 'node:crypto';
import { nftRule } from './nft-rules.ts';

export interface TableImage {
  /** NFT_TABLE_F; none of ours has any. */
  readonly flags: number;
  /** Sets, maps, stateful objects, flowtables: we have none. */
  readonly otherObjects: number;
  readonly chains: readonly ChainImage[];
}

export interface ChainImage {
  readonly name: string;
  /** Undefined for a chain that no hook calls. */
  readonly hook: HookImage | undefined;
  /** nftRuleText of each. */
  readonly rules: readonly string[];
}

export interface HookImage {
  readonly type: string;
  readonly number: number;
  readonly priority: number;
  readonly policy: number;
}

const HOOK_NUMBER: Readonly<Record<TrafficChain['hook'], number>> = {
  forward: NF_INET.FORWARD,
  postrouting: NF_INET.POST_ROUTING,
};

/** What the kernel shall have; undefined for a table without chains, which is none. */
export function desiredImage(table: TrafficTable): TableImage | undefined {
  if (table.chains.length === 0) return undefined;
  return { flags: 0, otherObjects: 0, chains: table.chains.map(desiredChain) };
}

function desiredChain(chain: TrafficChain): ChainImage {
  return {
    name: chain.name,
    hook: desiredHook(chain),
    rules: chain.rules.map((rule) => nftRuleText(nftRule(rule))),
  };
}

export function desiredHook({ type, hook, priority }: TrafficChain): HookImage {
  return { type, number: HOOK_NUMBER[hook], priority, policy: NFT_VERDICT.ACCEPT };
}

/** The hook of a chain as the kernel tells it. */
export function hookImage({ hook, type = '', policy = NFT_VERDICT.ACCEPT }: NftChain): HookImage | undefined {
  if (hook === undefined) return undefined;
  return { type, number: hook.number ?? -1, priority: hook.priority ?? 0, policy };
}

export function sameHook(a: HookImage | undefined, b: HookImage | undefined): boolean {
  return a?.type === b?.type && a?.number === b?.number && a?.priority === b?.priority && a?.policy === b?.policy;
}

/** Twelve hexadecimal digits over all that an image says. */
export function generationOf(image: TableImage | undefined): string {
  return createHash('sha256')
    .update(JSON.stringify(image ?? null))
    .digest('hex')
    .slice(0, 12);
}
