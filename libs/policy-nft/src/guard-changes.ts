/** From one guard to another: what differs in the static tables, of both computed. */
import type { PolicyGuard } from '@canal/kernel-port';
import { NFPROTO, type NftElement } from 'netlink-ts';
import type { Mac } from 'net-types';
import { GATEWAYS } from './bridge-table.ts';
import type { ChangeList } from './change-list.ts';
import { gatewayElements } from './endpoint-elements.ts';
import { ruleText } from './rule-text.ts';
import { guardElements } from './static-sets.ts';
import { staticTables } from './static-tables.ts';
import { elementText } from './table-image.ts';

export function planGuard(before: PolicyGuard, after: PolicyGuard, changes: ChangeList): void {
  const old = guardElements(before);
  for (const [set, elements] of guardElements(after)) {
    const [gone, come] = [byText(old.get(set) ?? []), byText(elements)];
    changes.removeElements(NFPROTO.INET, set, without(gone, come));
    changes.addElements(NFPROTO.INET, set, without(come, gone));
  }
  const oldTables = staticTables(before);
  for (const [index, { family, chains }] of staticTables(after).entries()) {
    for (const [at, { name, rules }] of chains.entries()) {
      const oldRules = oldTables[index]?.chains[at]?.rules ?? [];
      if (rules.map(ruleText).join('\n') !== oldRules.map(ruleText).join('\n'))
        changes.replaceRules(family, name, rules);
    }
  }
}

export function planGateway(before: Mac | undefined, after: Mac | undefined, changes: ChangeList): void {
  if (before === after) return;
  changes.removeElements(NFPROTO.BRIDGE, GATEWAYS, gatewayElements(before));
  changes.addElements(NFPROTO.BRIDGE, GATEWAYS, gatewayElements(after));
}

function byText(elements: readonly NftElement[]): Map<string, NftElement> {
  return new Map(elements.map((element) => [elementText(element), element]));
}

function without(elements: ReadonlyMap<string, NftElement>, others: ReadonlyMap<string, unknown>): NftElement[] {
  return [...elements].flatMap(([text, element]) => (others.has(text) ? [] : [element]));
}
