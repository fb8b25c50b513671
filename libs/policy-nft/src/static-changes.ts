/** From what the static tables hung on to what they hang on now: what differs, of both computed. */
import { NFPROTO, nftRuleText, type NftElement } from 'netlink-ts';
import type { ChangeList } from './change-list.ts';
import { guardElements } from './static-sets.ts';
import { type StaticInputs, staticTables } from './static-tables.ts';
import { type RuleImage, elementText } from './table-image.ts';

/** Both are of one kernel: the families are the same. */
export function planStatic(before: StaticInputs, after: StaticInputs, changes: ChangeList): void {
  const old = guardElements(before.guard);
  for (const [set, elements] of guardElements(after.guard)) {
    const [gone, come] = [byText(old.get(set) ?? []), byText(elements)];
    changes.removeElements(NFPROTO.INET, set, without(gone, come));
    changes.addElements(NFPROTO.INET, set, without(come, gone));
  }
  const oldTables = staticTables(before);
  for (const [index, { family, chains }] of staticTables(after).entries()) {
    for (const [at, { name, rules }] of chains.entries()) {
      if (textOf(rules) !== textOf(oldTables[index]?.chains[at]?.rules ?? []))
        changes.replaceRules(family, name, rules);
    }
  }
}

function textOf(rules: readonly RuleImage[]): string {
  return rules.map((expressions) => nftRuleText({ expressions })).join('\n');
}

function byText(elements: readonly NftElement[]): Map<string, NftElement> {
  return new Map(elements.map((element) => [elementText(element), element]));
}

function without(elements: ReadonlyMap<string, NftElement>, others: ReadonlyMap<string, unknown>): NftElement[] {
  return [...elements].flatMap(([text, element]) => (others.has(text) ? [] : [element]));
}
