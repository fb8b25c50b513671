/** What statements are made of: tests and changes of the first register. */
import type { KnownNftExpression } from './expression/expression.ts';
import { NFT_CMP } from './expression/cmp.ts';
import { NFT_RANGE } from './expression/range.ts';
import { NFT_REG } from './expression/registers.ts';

const { REG_1 } = NFT_REG;

export function compare(op: number, value: Uint8Array): KnownNftExpression {
  return { type: 'cmp', sreg: REG_1, op, data: { value } };
}

export function equals(value: Uint8Array, negated = false): KnownNftExpression {
  return compare(negated ? NFT_CMP.NEQ : NFT_CMP.EQ, value);
}

/** Between the two, both included, in the order of memcmp. */
export function within(first: Uint8Array, last: Uint8Array, negated = false): KnownNftExpression[] {
  if (!negated) return [compare(NFT_CMP.GTE, first), compare(NFT_CMP.LTE, last)];
  return [{ type: 'range', sreg: REG_1, op: NFT_RANGE.NEQ, from: { value: first }, to: { value: last } }];
}

/** `register & mask ^ xor`. */
export function mask(bytes: Uint8Array, xor: Uint8Array = new Uint8Array(bytes.length)): KnownNftExpression {
  return {
    type: 'bitwise',
    sreg: REG_1,
    dreg: REG_1,
    length: bytes.length,
    // No `op`: MASK_XOR is the default, and kernels before 5.6 know no other.
    mask: { value: bytes },
    xor: { value: xor },
  };
}

/** Marks and conntrack bits lie in registers as the machine holds a number. */
export function hostU32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}
