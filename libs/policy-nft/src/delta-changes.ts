/** A change of the rules as requests, without reading what the kernel has. */
import type { RuleDelta, RuleEndpoint, RuleView, SetMember } from '@canal/rules-ast';
import { NFPROTO, type NftElement } from 'netlink-ts';
import type { ChangeList } from './change-list.ts';
import { endpointElements, type SetElement } from './endpoint-elements.ts';
import type { KernelFamilies } from './kernel-families.ts';
import { chainImage } from './rule-chain.ts';
import { chainCounters } from './rule-counters.ts';
import { FAMILIES, memberElements, setDefinition, setName } from './rule-set.ts';
import { elementText } from './table-image.ts';

/** `before`: endpoints as the kernel has them, by key. */
export function planDelta(
  delta: RuleDelta,
  view: RuleView,
  before: ReadonlyMap<string, RuleEndpoint>,
  families: KernelFamilies,
  changes: ChangeList,
): void {
  const family = NFPROTO.INET;
  for (const set of delta.newSets) {
    for (const ip of FAMILIES) {
      changes.newSet(family, setDefinition(set, ip), memberElements(set.kind, ip, view.members(set.id)));
    }
  }
  for (const counter of chainCounters(delta.newChains)) changes.newCounter(family, counter);
  for (const chain of delta.newChains) {
    const { name, hook, rules } = chainImage(chain);
    changes.newChain(family, name, hook, rules);
  }
  for (const [id, { added, removed }] of delta.members) {
    for (const ip of FAMILIES) {
      changes.changeMembers(family, setName(id, ip), elementsOf(ip, removed), elementsOf(ip, added));
    }
  }
  planEndpoints(delta, before, families, changes);
  for (const chain of delta.removedChains) changes.deleteChain(family, chain);
  for (const set of delta.removedSets) for (const ip of FAMILIES) changes.deleteSet(family, setName(set.id, ip));
}

/** Members of a set that is no set of blocks: those never change. */
function elementsOf(ip: 4 | 6, members: readonly SetMember[]): Iterable<NftElement> {
  const [first] = members;
  if (first?.kind === 'blocks') throw new TypeError('the blocks of a set never change under its id');
  return first === undefined ? [] : memberElements(first.kind, ip, members);
}

function planEndpoints(
  { endpoints, removedEndpoints }: RuleDelta,
  before: ReadonlyMap<string, RuleEndpoint>,
  families: KernelFamilies,
  changes: ChangeList,
): void {
  const gone = new Map<string, SetElement>();
  for (const { key } of [...removedEndpoints, ...endpoints]) {
    const old = before.get(key);
    for (const item of old === undefined ? [] : endpointElements(old, families)) gone.set(itemText(item), item);
  }
  // Two endpoints may have one element in common: what one gives up and another has stays as it is.
  const come = new Map<string, SetElement>();
  for (const item of endpoints.flatMap((endpoint) => endpointElements(endpoint, families))) {
    const text = itemText(item);
    if (!gone.delete(text)) come.set(text, item);
  }
  for (const { family, set, elements } of bySet(gone.values())) changes.removeElements(family, set, elements);
  for (const { family, set, elements } of bySet(come.values())) changes.addElements(family, set, elements);
}

/** One message a set, not one an element. */
function bySet(items: Iterable<SetElement>): { family: number; set: string; elements: NftElement[] }[] {
  const groups = new Map<string, { family: number; set: string; elements: NftElement[] }>();
  for (const { family, set, element } of items) {
    const name = `${family} ${set}`;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, { family, set, elements: [element] });
    else group.elements.push(element);
  }
  return [...groups.values()];
}

function itemText({ family, set, element }: SetElement): string {
  return `${family} ${set} ${elementText(element)}`;
}
