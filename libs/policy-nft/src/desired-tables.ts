/** All that shall be in force, as tables. */
import type { PolicyGuard } from '@canal/kernel-port';
import type { RuleView } from '@canal/rules-ast';
import { NFPROTO, type NftElement } from 'netlink-ts';
import type { Mac } from 'net-types';
import { GATEWAYS } from './bridge-table.ts';
import { endpointElements, gatewayElements } from './endpoint-elements.ts';
import { chainImage } from './rule-chain.ts';
import { FAMILIES, memberElements, setDefinition } from './rule-set.ts';
import { guardElements } from './static-sets.ts';
import { staticTables } from './static-tables.ts';
import type { ChainImage, SetImage, TableImage } from './table-image.ts';

/** `gateway`: MAC of the bridge, where there is one. */
export function desiredTables(view: RuleView, guard: PolicyGuard, gateway: Mac | undefined): TableImage[] {
  const fixed = new Map([...guardElements(guard), [GATEWAYS, gatewayElements(gateway)]]);
  const ofEndpoints = Map.groupBy([...view.endpoints()].flatMap(endpointElements), ({ family }) => family);
  return staticTables(guard).map(({ family, sets, chains }) => {
    const elements = Map.groupBy(ofEndpoints.get(family) ?? [], ({ set }) => set);
    const staticSets = sets.map((definition): SetImage => {
      const { name } = definition;
      const own: NftElement[] = elements.get(name)?.map(({ element }) => element) ?? [];
      return { definition, elements: () => fixed.get(name) ?? own };
    });
    if (family !== NFPROTO.INET) return { family, sets: staticSets, chains };
    return { family, sets: [...staticSets, ...policySets(view)], chains: [...chains, ...policyChains(view)] };
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
