/** From what the kernel has of one table to what it shall have. */
import {
  NFPROTO,
  type NftChain,
  type NftCounter,
  type NftElement,
  type NftRule,
  nftRuleText,
  type NftSet,
  NFT_SET,
  NFT_SET_ELEM,
} from 'netlink-ts';
import type { ChangeList } from './change-list.ts';
import { isOwnCounter } from './rule-counters.ts';
import {
  actualHookText,
  actualSetText,
  type ChainImage,
  elementText,
  hookText,
  type SetImage,
  setText,
  type TableImage,
} from './table-image.ts';

/** What was read of a table, elements apart. */
export interface ActualTable {
  /** NFT_TABLE_F; none of ours has any. */
  readonly flags: number;
  /** Stateful objects that are no counters, and flowtables: we have none. */
  readonly otherObjects: number;
  readonly sets: ReadonlyMap<string, NftSet>;
  readonly counters: ReadonlyMap<string, NftCounter>;
  readonly chains: ReadonlyMap<string, NftChain>;
  /** By chain, in their order. */
  readonly rules: ReadonlyMap<string, readonly NftRule[]>;
  readonly elements: (set: string) => readonly NftElement[];
}

/**
 * Adds to `changes` what makes `desired` of `actual`. Chains that are right in place and hook stay, they are emptied and
 * filled again: a packet meets the old rules or the new ones.
 */
export function planTable(
  desired: TableImage,
  actual: ActualTable | undefined,
  changes: ChangeList,
  note: (line: string) => void,
): void {
  const noteHere = (line: string): void => note(`${FAMILY_NAME[desired.family] ?? desired.family}: ${line}`);
  if (actual === undefined) {
    noteHere('the table is missing');
    planNewTable(desired, new Map(), changes);
    return;
  }
  if (actual.flags !== 0 || actual.otherObjects > 0) {
    noteHere(`the table has flags ${actual.flags} and ${actual.otherObjects} objects that are not ours`);
    replaceTable(desired, actual, changes);
    return;
  }
  planCounters(desired, actual, changes, noteHere);
  const isReplaced = planSets(desired, actual, changes, noteHere);
  planChains(desired, actual, isReplaced, changes, noteHere);
}

/** The tables have one name and chains of the same names. */
const FAMILY_NAME: Readonly<Record<number, string>> = {
  [NFPROTO.INET]: 'inet',
  [NFPROTO.ARP]: 'arp',
  [NFPROTO.BRIDGE]: 'bridge',
};

/** The whole table anew, within one transaction. Counters go on from what they had when it was read. */
export function replaceTable(desired: TableImage, actual: ActualTable, changes: ChangeList): void {
  changes.deleteTable(desired.family);
  planNewTable(desired, actual.counters, changes);
}

function planNewTable(desired: TableImage, counters: ActualTable['counters'], changes: ChangeList): void {
  const { family } = desired;
  changes.newTable(family);
  for (const name of desired.counters.union(new Set([...counters.keys()].filter(isOwnCounter)))) {
    changes.newCounter(family, name, counters.get(name));
  }
  for (const { definition, elements } of desired.sets) changes.newSet(family, definition, elements());
  for (const { name, hook, rules } of desired.chains) changes.newChain(family, name, hook, rules);
}

/** Those of ours that nothing refers to may be kept: see unusedCounters. */
function planCounters(
  { family, counters }: TableImage,
  actual: ActualTable,
  changes: ChangeList,
  note: (line: string) => void,
): void {
  const missing = counters.difference(actual.counters);
  if (missing.size > 0) note(`${missing.size} counters are missing`);
  for (const name of missing) changes.newCounter(family, name);
  for (const name of actual.counters.keys()) {
    if (isOwnCounter(name)) continue;
    note(`counter ${name} is not ours`);
    changes.deleteCounter(family, name);
  }
}

/** Counters of ours in which no rule counts. */
export function unusedCounters({ counters }: TableImage, actual: ActualTable): ReadonlySet<string> {
  return new Set([...actual.counters.keys()].filter((name) => isOwnCounter(name) && !counters.has(name)));
}

/** True when a set must be made anew, so that no rule may refer to it for a moment. */
function planSets(
  desired: TableImage,
  actual: ActualTable,
  changes: ChangeList,
  note: (line: string) => void,
): boolean {
  const { family } = desired;
  let isReplaced = false;
  for (const set of desired.sets) {
    const { definition, elements } = set;
    const found = actual.sets.get(definition.name);
    if (found === undefined) {
      note(`set ${definition.name} is missing`);
      changes.newSet(family, definition, elements());
    } else if (actualSetText(found) !== setText(definition)) {
      note(`set ${definition.name} is of another kind: ${actualSetText(found)} instead of ${setText(definition)}`);
      changes.replaceSet(family, definition, elements());
      isReplaced = true;
    } else {
      planElements(family, set, actual.elements(definition.name), changes, note);
    }
  }
  const wanted = new Set(desired.sets.map(({ definition }) => definition.name));
  for (const [name, { flags = 0 }] of actual.sets) {
    // An anonymous set belongs to a foreign rule and goes with it.
    if (wanted.has(name) || (flags & NFT_SET.ANONYMOUS) !== 0) continue;
    note(`set ${name} is not ours`);
    changes.deleteSet(family, name);
  }
  return isReplaced;
}

function planElements(
  family: number,
  { definition, elements }: SetImage,
  actual: readonly NftElement[],
  changes: ChangeList,
  note: (line: string) => void,
): void {
  const { name, interval = false } = definition;
  const foreign = new Map<string, NftElement>();
  for (const element of actual) if (!endsNothing(element)) foreign.set(elementText(element), element);
  const missing: NftElement[] = [];
  for (const element of elements()) if (!foreign.delete(elementText(element))) missing.push(element);
  if (missing.length === 0 && foreign.size === 0) return;
  note(`set ${name}: ${missing.length} elements missing, ${foreign.size} foreign`);
  if (interval) {
    // Ends and beginnings belong together: all anew.
    changes.removeAllElements(family, name);
    changes.addElements(family, name, elements());
    return;
  }
  changes.removeElements(family, name, foreign.values());
  changes.addElements(family, name, missing);
}

/** nft ends what is before the first interval, though nothing is there. */
function endsNothing({ key, flags = 0 }: NftElement): boolean {
  return (flags & NFT_SET_ELEM.INTERVAL_END) !== 0 && key?.every((byte) => byte === 0) === true;
}

function planChains(
  desired: TableImage,
  actual: ActualTable,
  refill: boolean,
  changes: ChangeList,
  note: (line: string) => void,
): void {
  const { family } = desired;
  for (const chain of desired.chains) {
    const { name, hook, rules } = chain;
    const found = actual.chains.get(name);
    if (found === undefined) {
      note(`chain ${name} is missing`);
      changes.newChain(family, name, hook, rules);
    } else if (actualHookText(found) !== hookText(hook)) {
      note(`chain ${name} has another hook: ${actualHookText(found) ?? 'none'} instead of ${hookText(hook) ?? 'none'}`);
      changes.replaceChain(family, name, hook, rules);
    } else if (refill || !isSame(chain, actual.rules.get(name) ?? [])) {
      if (!refill) note(`chain ${name} has other rules`);
      changes.replaceRules(family, name, rules);
    }
  }
  const wanted = new Set(desired.chains.map(({ name }) => name));
  for (const name of actual.chains.keys()) {
    if (wanted.has(name)) continue;
    note(`chain ${name} is not ours`);
    changes.deleteChain(family, name);
  }
}

export function isSame({ rules }: ChainImage, actual: readonly NftRule[]): boolean {
  return (
    rules.length === actual.length &&
    rules.every(
      (expressions, index) =>
        nftRuleText({ expressions }) === nftRuleText({ expressions: actual[index]?.expressions ?? [] }),
    )
  );
}
