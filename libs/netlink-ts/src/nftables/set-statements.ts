/** Questions to sets and maps, as nft words them. */
import { NFT_DYNSET } from './expression/dynset.ts';
import type { KnownNftExpression } from './expression/expression.ts';
import { NFT_LOOKUP_F_INV } from './expression/lookup.ts';
import { NFT_REG } from './expression/registers.ts';
import { loadFields, type NftField } from './field.ts';

/** A set by name; by name and id where the transaction makes it and its name is a pattern (`__set%d`). */
export type NftSetName = string | { readonly name: string; readonly id: number };

/** `FIELD . FIELD [!=] @SET`. */
export function matchSet(set: NftSetName, fields: readonly NftField[], negated = false): KnownNftExpression[] {
  const flags = negated ? { flags: NFT_LOOKUP_F_INV } : {};
  return [...loadFields(fields), { type: 'lookup', sreg: NFT_REG.REG_1, ...setOf(set), ...flags }];
}

/** `FIELD . FIELD vmap @MAP`: the verdict of the element, or on with the rule when there is none. */
export function verdictMap(map: NftSetName, fields: readonly NftField[]): KnownNftExpression[] {
  return [...loadFields(fields), { type: 'lookup', sreg: NFT_REG.REG_1, dreg: NFT_REG.VERDICT, ...setOf(map) }];
}

/** `update @SET { FIELD . FIELD }`: the set must be dynamic. */
export function updateSet(set: NftSetName, fields: readonly NftField[], timeoutMs?: number): KnownNftExpression[] {
  const timeout = timeoutMs === undefined ? {} : { timeout: BigInt(timeoutMs) };
  return [
    ...loadFields(fields),
    { type: 'dynset', op: NFT_DYNSET.UPDATE, sregKey: NFT_REG.REG_1, ...setOf(set), ...timeout },
  ];
}

function setOf(set: NftSetName): { readonly set: string; readonly setId?: number } {
  return typeof set === 'string' ? { set } : { set: set.name, setId: set.id };
}
