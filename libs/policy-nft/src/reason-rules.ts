import type { VerdictReason } from '@canal/kernel-port';
import { counter, limitRate, logToGroup, NFT_VERDICT, verdict } from 'netlink-ts';
import type { KnownNftExpression } from 'netlink-ts';
import type { DropReason } from './chain-names.ts';
import { NFLOG_GROUP, NFLOG_PREFIX, NFLOG_SNAP_BYTES } from './nflog-group.ts';
import type { RuleImage } from './table-image.ts';

/** Telling costs more than dropping: what a flood of denials can take of the node is bounded by this, for each reason. */
const TOLD = { rate: 200, per: 'second', burst: 400 } as const;

/** Tells some of the packets, drops all. */
export function reasonRules(reason: DropReason): readonly RuleImage[] {
  return [
    [limitRate(TOLD), tell(reason)],
    [counter(), verdict(NFT_VERDICT.DROP)],
  ];
}

export function tell(reason: VerdictReason): KnownNftExpression {
  return logToGroup(NFLOG_GROUP, { prefix: NFLOG_PREFIX + reason, snapLength: NFLOG_SNAP_BYTES });
}
