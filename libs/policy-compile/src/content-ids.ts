/**
 * Names by content: equal texts get equal ids in every process. Whoever may write policies could make two texts with
 * one hash, and get what another's chain gives; so a text whose id is taken gets the next one.
 */
export class ContentIds {
  readonly #hash: (text: string) => string;
  readonly #ids = new Map<string, string>();
  readonly #texts = new Map<string, string>();

  constructor(hash: (text: string) => string = hash48) {
    this.#hash = hash;
  }

  /** The id of the text: the prefix and 12 hex digits. It stays the text's own until it is freed. */
  take(prefix: string, text: string): string {
    const key = prefix + text;
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    for (let attempt = 0; ; attempt++) {
      const id = prefix + this.#hash(attempt === 0 ? text : `${attempt}\0${text}`);
      if (this.#texts.has(id)) continue;
      this.#ids.set(key, id);
      this.#texts.set(id, key);
      return id;
    }
  }

  free(id: string): void {
    const key = this.#texts.get(id);
    if (key !== undefined) this.#ids.delete(key);
    this.#texts.delete(id);
  }
}

/** Two multiplicative hashes of 32 bits over the UTF-16 units, mixed into each other; 48 bits of them as hex. */
export function hash48(text: string): string {
  let high = 0x9e37_79b9;
  let low = 0x85eb_ca6b;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    high = Math.imul(((high << 13) | (high >>> 19)) ^ unit, 0x9e37_79b1);
    low = Math.imul(((low << 17) | (low >>> 15)) ^ unit, 0x5f35_6495);
  }
  high = finish(high ^ (low >>> 15));
  low = finish(low ^ (high >>> 13));
  return (high >>> 16).toString(16).padStart(4, '0') + (low >>> 0).toString(16).padStart(8, '0');
}

/** The finaliser of 32 bits that spreads every bit over all (as in MurmurHash3). */
function finish(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85eb_ca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35);
  return mixed ^ (mixed >>> 16);
}
