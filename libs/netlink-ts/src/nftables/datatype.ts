/**
 * nft's types of set keys and map data. The kernel stores their numbers and never looks at them; `nft list` tells keys
 * apart by them.
 */

export interface NftDatatype {
  /** Number within nft (enum datatypes). */
  readonly id: number;
  readonly bytes: number;
  readonly order: 'host' | 'network' | 'none';
}

export const NFT_DATATYPES = {
  nf_proto: { id: 2, bytes: 1, order: 'none' },
  ipv4_addr: { id: 7, bytes: 4, order: 'network' },
  ipv6_addr: { id: 8, bytes: 16, order: 'network' },
  ether_addr: { id: 9, bytes: 6, order: 'network' },
  ether_type: { id: 10, bytes: 2, order: 'network' },
  inet_proto: { id: 12, bytes: 1, order: 'none' },
  inet_service: { id: 13, bytes: 2, order: 'network' },
  icmp_type: { id: 14, bytes: 1, order: 'network' },
  mark: { id: 19, bytes: 4, order: 'host' },
  iface_index: { id: 20, bytes: 4, order: 'host' },
  ct_state: { id: 26, bytes: 4, order: 'host' },
  icmpv6_type: { id: 29, bytes: 1, order: 'network' },
  fib_addrtype: { id: 38, bytes: 4, order: 'host' },
  ifname: { id: 41, bytes: 16, order: 'host' },
} as const satisfies Record<string, NftDatatype>;

export type NftDatatypeName = keyof typeof NFT_DATATYPES;

/** One type, or several for a concatenation: `ipv4_addr . inet_service`. */
export type NftKeyType = NftDatatypeName | readonly NftDatatypeName[];

/** Fields of a key in the order of the concatenation. Throws RangeError for none and for more than 31 bits can name. */
export function fieldsOf(type: NftKeyType): readonly NftDatatype[] {
  const names: readonly NftDatatypeName[] = typeof type === 'string' ? [type] : type;
  if (names.length === 0 || names.length > MAX_FIELDS) {
    throw new RangeError(`an nft key has 1..${MAX_FIELDS} fields, not ${names.length}`);
  }
  return names.map((name) => NFT_DATATYPES[name]);
}

/** The number of a concatenation has six bits a field, in 32 bits. */
const MAX_FIELDS = 5;
const BITS_PER_FIELD = 6;

/** Number of the key type, as NFTA_SET_KEY_TYPE and NFTA_SET_DATA_TYPE take it. */
export function typeNumber(fields: readonly NftDatatype[]): number {
  return fields.reduce((number, { id }) => (number << BITS_PER_FIELD) | id, 0);
}

/** Bytes of a key: the fields of a concatenation are padded to multiples of four, a single field is not. */
export function keyLength(fields: readonly NftDatatype[]): number {
  const [only] = fields;
  if (fields.length === 1 && only !== undefined) return only.bytes;
  return fields.reduce((length, { bytes }) => length + paddedLength(bytes), 0);
}

export function paddedLength(bytes: number): number {
  return (bytes + 3) & ~3;
}
