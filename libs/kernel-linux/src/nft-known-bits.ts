/** Bytes of which some bits are known: a packet of which only the network is given, and the registers it is loaded into. */
export interface KnownBits {
  /** Bits that are set here are known. */
  readonly mask: Uint8Array;
  /** Their values; zero where unknown. */
  readonly value: Uint8Array;
}

/** Holds for every packet, for none, or for some. */
export type Answer = 'yes' | 'no' | 'perhaps';

export function unknownBits(length: number): KnownBits {
  return { mask: new Uint8Array(length), value: new Uint8Array(length) };
}

export function knownBytes(value: Uint8Array): KnownBits {
  return { mask: new Uint8Array(value.length).fill(0xff), value };
}

/** `length` bytes from `offset` on; unknown where there are none. */
export function slice(bits: KnownBits, offset: number, length: number): KnownBits {
  const result = unknownBits(length);
  result.mask.set(bits.mask.subarray(offset, offset + length));
  result.value.set(bits.value.subarray(offset, offset + length));
  return result;
}

/** `(bits & and) ^ xor`: what is masked out is known to be zero. */
export function maskXor(bits: KnownBits, and: Uint8Array, xor: Uint8Array): KnownBits {
  const result = unknownBits(bits.mask.length);
  for (const index of result.mask.keys()) {
    const kept = and[index] ?? 0;
    const known = (at(bits.mask, index) | ~kept) & 0xff;
    result.mask[index] = known;
    result.value[index] = ((at(bits.value, index) & kept) ^ (xor[index] ?? 0)) & known;
  }
  return result;
}

/** Whether the first bytes are those of `data`. */
export function equals(bits: KnownBits, data: Uint8Array): Answer {
  let answer: Answer = 'yes';
  for (const [index, byte] of data.entries()) {
    const known = at(bits.mask, index);
    if ((known & (at(bits.value, index) ^ byte)) !== 0) return 'no';
    if (known !== 0xff) answer = 'perhaps';
  }
  return answer;
}

export function negate(answer: Answer): Answer {
  if (answer === 'perhaps') return answer;
  return answer === 'yes' ? 'no' : 'yes';
}

function at(bytes: Uint8Array, index: number): number {
  return bytes[index] ?? 0;
}
