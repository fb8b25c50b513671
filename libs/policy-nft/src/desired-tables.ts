/** All that shall be in force, as tables. */
import type { RuleView } from '@canal/rules-ast';
import { NFPROTO, type NftElement } from 'netlink-ts';
import { endpointElements } from './endpoint-elements.ts';
import { chainImage } from './rule-chain.ts';
import { chainCounters } from './rule-counters.ts';
import { FAMILIES, memberElements, setDefinition } from './rule-set.ts';
import { guardElements } from './static-sets.ts';
import { type StaticInputs, staticTables } from './static-tables.ts';
import type { ChainImage, SetImage, TableImage } from './table-image.ts';

export function desiredTables(view: RuleView, inputs: StaticInputs): TableImage[] {
  const fixed = guardElements(inputs.guard);
  const elements = [...view.endpoints()].flatMap((endpoint) => endpointElements(endpoint, inputs.families));
  const ofEndpoints = Map.groupBy(elements, ({ family }) => family);
  return staticTables(inputs).map(({ family, sets, chains }) => {
    const bySet = Map.groupBy(ofEndpoints.get(family) ?? [], ({ set }) => set);
    const staticSets = sets.map((definition): SetImage => {
      const { name } = definition;
      const own: NftElement[] = bySet.get(name)?.map(({ element }) => element) ?? [];
      return { definition, elements: () => fixed.get(name) ?? own };
    });
    if (family !== NFPROTO.INET) return { family, sets: staticSets, counters: new Set(), chains };
    return {
      family,
      sets: [...staticSets, ...policySets(view)],
      counters: chainCounters(view.chains()),
      chains: [...chains, ...policyChains(view)],
    };
  });
}

export function* policySets(view: RuleView): Generator<SetImage> {
  for (const set of view.sets()) {
    for (const family of FAMILIES) {
      const elements = (): Iterable<NftElement> => memberElements(set.kind, family, view.members(set.id));
      yield { definition: setDefinition(set, family), elements };
    }
  }
}

function* policyChains(view: RuleView): Generator<ChainImage> {
  for (const chain of view.chains()) yield chainImage(chain);
}
