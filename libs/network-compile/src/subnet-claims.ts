import { type Cidr, cidrOf, type Ip } from 'net-types';

/**
 * Who holds which subnet. Two blocks overlap only when one contains the other, so a claim asks for holders above it
 * (its own address cut to each shorter length) and below it (recorded as each claim is made): a few look-ups, however
 * many subnets there are.
 */
export class SubnetClaims {
  readonly #lengths: readonly number[];
  /** Holder of the block with that length and address. */
  readonly #held = new Map<number, Map<Ip, string>>();
  /** Holder of some block inside the block with that length and address. */
  readonly #inside = new Map<number, Map<Ip, string>>();

  /** `lengths`: every prefix length that a later claim may have. */
  constructor(lengths: Iterable<number>) {
    this.#lengths = [...new Set(lengths)].sort((a, b) => a - b);
    for (const length of this.#lengths) {
      this.#held.set(length, new Map());
      this.#inside.set(length, new Map());
    }
  }

  /** Takes the block for `owner`; the name of a holder of an overlapping block when there is one, and takes nothing. */
  claim(block: Cidr, owner: string): string | undefined {
    const holder = this.holderOf(block);
    if (holder !== undefined) return holder;
    this.#held.get(block.prefixLen)?.set(block.ip, owner);
    for (const length of this.#lengths) {
      if (length > block.prefixLen) break;
      const inside = this.#inside.get(length);
      const cut = cidrOf(block.ip, length).ip;
      if (inside?.has(cut) === false) inside.set(cut, owner);
    }
    return undefined;
  }

  /** Name of a holder of a block that overlaps this one, which may be of any length not shorter than the claims'. */
  holderOf(block: Cidr): string | undefined {
    return this.#inside.get(block.prefixLen)?.get(block.ip) ?? this.#holderAbove(block);
  }

  #holderAbove(block: Cidr): string | undefined {
    for (const length of this.#lengths) {
      if (length >= block.prefixLen) return undefined;
      const holder = this.#held.get(length)?.get(cidrOf(block.ip, length).ip);
      if (holder !== undefined) return holder;
    }
    return undefined;
  }
}
