/** Slots by hash in one array (open addressing, linear probing): 8 to 16 bytes a slot, where a Map takes 45. */
const EMPTY = -1;
const GONE = -2;

export class SlotIndex {
  readonly #hashOf: (slot: number) => number;
  /** The length is a power of two. */
  #slots = new Int32Array(256).fill(EMPTY);
  #count = 0;
  /** Places that are not EMPTY. */
  #taken = 0;

  /** `hashOf` tells the hash with which a slot that is in was added. */
  constructor(hashOf: (slot: number) => number) {
    this.#hashOf = hashOf;
  }

  find(hash: number, matches: (slot: number) => boolean): number | undefined {
    const mask = this.#slots.length - 1;
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const slot = this.#slots[place] as number;
      if (slot === EMPTY) return undefined;
      if (slot !== GONE && matches(slot)) return slot;
    }
  }

  /** It must not be in. */
  add(hash: number, slot: number): void {
    if (this.#taken * 2 >= this.#slots.length) this.#rebuild();
    const mask = this.#slots.length - 1;
    let place = hash & mask;
    while ((this.#slots[place] as number) >= 0) place = (place + 1) & mask;
    if (this.#slots[place] === EMPTY) this.#taken++;
    this.#slots[place] = slot;
    this.#count++;
  }

  /** It must be in. */
  remove(hash: number, slot: number): void {
    const mask = this.#slots.length - 1;
    let place = hash & mask;
    while (this.#slots[place] !== slot) place = (place + 1) & mask;
    this.#slots[place] = GONE;
    this.#count--;
  }

  #rebuild(): void {
    const slots = this.#slots.filter((slot) => slot >= 0);
    let length = 256;
    while (length < this.#count * 4) length *= 2;
    this.#slots = new Int32Array(length).fill(EMPTY);
    this.#count = 0;
    this.#taken = 0;
    for (const slot of slots) this.add(this.#hashOf(slot), slot);
  }
}
