import { fieldsOf, keyLength, type NftKeyType, typeNumber } from './datatype.ts';
import { setUserData } from './set-user-data.ts';
import { NFT_DATA_VERDICT, NFT_SET, type NftSetInput } from './set.ts';

/** A set or map in nft's words. */
export interface NftSetDefinition {
  /** NFPROTO. */
  readonly family: number;
  readonly table: string;
  /** Of an anonymous one a pattern: `__set%d`, `__map%d`. */
  readonly name: string;
  /** Belongs to the one rule that asks it, is made and filled in the rule's transaction, and goes with it. */
  readonly anonymous?: boolean | undefined;
  readonly key: NftKeyType;
  /** Makes it a map. */
  readonly data?: NftKeyType | 'verdict' | undefined;
  /** Elements are ranges; each field of a concatenation has its own. Not to be had for dynamic sets. */
  readonly interval?: boolean | undefined;
  /** Takes no elements once a rule refers to it. Anonymous sets are. */
  readonly constant?: boolean | undefined;
  /** Rules add elements. */
  readonly dynamic?: boolean | undefined;
  /** Elements may have times to live of their own. Implied by `timeoutMs`. */
  readonly timeouts?: boolean | undefined;
  /** What an element lives that names no time of its own. */
  readonly timeoutMs?: number | undefined;
  /** How many elements it may hold. The kernel makes the buckets of a hash set for it at once, and uses a faster one. */
  readonly size?: number | undefined;
  /** Number within the transaction, for elements and lookups that name the set so. An anonymous one needs its own. */
  readonly id?: number | undefined;
  readonly comment?: string | undefined;
}

/** What nft 1.0.6 sends for such a set, for `newNftSet`. Throws RangeError for an anonymous one without a number. */
export function nftSet(definition: NftSetDefinition): NftSetInput {
  const { family, table, name, key, data, size, timeoutMs, comment, id = 0 } = definition;
  // The kernel finds it by number alone, and every set without one has number 0.
  if (definition.anonymous === true && id === 0) throw new RangeError(`the anonymous set ${name} needs an id above 0`);
  const keyFields = fieldsOf(key);
  const dataFields = data === undefined ? undefined : data === 'verdict' ? [] : fieldsOf(data);
  const ranges = definition.interval === true && keyFields.length > 1;
  const description = {
    ...(size === undefined ? {} : { size }),
    ...(ranges ? { fields: keyFields.map(({ bytes }) => ({ length: bytes })) } : {}),
  };
  return {
    family,
    table,
    name,
    flags: flagsOf(definition, ranges),
    keyType: typeNumber(keyFields),
    keyLength: keyLength(keyFields),
    ...(dataFields === undefined
      ? {}
      : data === 'verdict'
        ? { dataType: NFT_DATA_VERDICT, dataLength: 0 }
        : { dataType: typeNumber(dataFields), dataLength: keyLength(dataFields) }),
    id,
    ...(Object.keys(description).length === 0 ? {} : { description }),
    ...(timeoutMs === undefined ? {} : { timeout: BigInt(timeoutMs) }),
    userData: setUserData(keyFields, dataFields, comment),
  };
}

function flagsOf(definition: NftSetDefinition, ranges: boolean): number {
  const { anonymous, interval, constant, dynamic, timeouts, timeoutMs, data } = definition;
  return (
    (anonymous === true ? NFT_SET.ANONYMOUS : 0) |
    (anonymous === true || constant === true ? NFT_SET.CONSTANT : 0) |
    (interval === true ? NFT_SET.INTERVAL : 0) |
    (data !== undefined ? NFT_SET.MAP : 0) |
    (timeouts === true || timeoutMs !== undefined ? NFT_SET.TIMEOUT : 0) |
    (dynamic === true ? NFT_SET.EVAL : 0) |
    (ranges ? NFT_SET.CONCAT : 0)
  );
}
